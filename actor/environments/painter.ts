import type { Picture, PictureSize } from "../../shared/environment.ts";

export type Colour = readonly [red: number, green: number, blue: number]; // 0 to 255
export type Point = readonly [x: number, y: number]; // pixels from the top left

/** Smooth-edged shapes on a plain ground: enough to draw a simple environment of one's own. Later shapes cover earlier ones. */
export class Painter {
  readonly #width: number;
  readonly #height: number;
  readonly #rgb: Uint8Array; // [height, width, 3]

  constructor({ width, height }: PictureSize, ground: Colour) {
    this.#width = width;
    this.#height = height;
    this.#rgb = new Uint8Array(width * height * 3);
    for (let c = 0; c < 3; c++) for (let i = c; i < this.#rgb.length; i += 3) this.#rgb[i] = ground[c]!;
  }

  /** A line with round ends; a disc where both ends are the same. */
  line([ax, ay]: Point, [bx, by]: Point, thickness: number, colour: Colour): void {
    const [dx, dy] = [bx - ax, by - ay];
    const squared = dx * dx + dy * dy;
    const middle: Point = [(ax + bx) / 2, (ay + by) / 2];
    const around = { width: Math.abs(dx) + thickness, height: Math.abs(dy) + thickness };
    this.#fill(colour, middle, around, (x, y) => {
      const along = squared === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / squared));
      return Math.hypot(x - ax - along * dx, y - ay - along * dy) - thickness / 2;
    });
  }

  /** A box with round corners, by its centre. */
  box([cx, cy]: Point, { width, height }: PictureSize, radius: number, colour: Colour): void {
    this.#fill(colour, [cx, cy], { width, height }, (x, y) => {
      const outX = Math.abs(x - cx) - width / 2 + radius;
      const outY = Math.abs(y - cy) - height / 2 + radius;
      return Math.hypot(Math.max(outX, 0), Math.max(outY, 0)) + Math.min(Math.max(outX, outY), 0) - radius;
    });
  }

  /**
   * Looks only at the pixels around a shape that is `size` large. `distance`: of a point from its edge in pixels, negative
   * inside; an edge is one pixel soft.
   */
  #fill(colour: Colour, [cx, cy]: Point, size: PictureSize, distance: (x: number, y: number) => number): void {
    const [left, right] = reach(cx, size.width, this.#width);
    const [top, bottom] = reach(cy, size.height, this.#height);
    for (let y = top; y < bottom; y++)
      for (let x = left, i = (y * this.#width + left) * 3; x < right; x++, i += 3) {
        const cover = 0.5 - distance(x + 0.5, y + 0.5);
        if (cover <= 0) continue;
        const share = Math.min(cover, 1);
        for (let c = 0; c < 3; c++)
          this.#rgb[i + c] = this.#rgb[i + c]! + share * (colour[c]! - this.#rgb[i + c]!) + 0.5;
      }
  }

  picture(): Picture {
    return { width: this.#width, height: this.#height, rgb: this.#rgb, pixelated: false };
  }
}

/** From and to which pixel a shape may reach, its soft edge included. */
function reach(centre: number, size: number, limit: number): readonly [from: number, to: number] {
  return [Math.max(0, Math.floor(centre - size / 2 - 1)), Math.min(limit, Math.ceil(centre + size / 2 + 1))];
}
