import type { Picture } from "../../shared/environment.ts";

/** An old console's screen at twice its size, pixels kept square-edged; others as they are. */
export function enlarged(picture: Picture): Picture {
  if (!picture.pixelated) return picture;
  const { width, height, rgb } = picture;
  const large = new Uint8Array(width * height * 12);
  for (let y = 0, to = 0; y < 2 * height; y++)
    for (let x = 0; x < 2 * width; x++, to += 3) {
      const from = ((y >> 1) * width + (x >> 1)) * 3;
      large[to] = rgb[from]!;
      large[to + 1] = rgb[from + 1]!;
      large[to + 2] = rgb[from + 2]!;
    }
  return { width: 2 * width, height: 2 * height, rgb: large, pixelated: true };
}
