import { expect, it } from "vitest";
import { Painter, type Point } from "../../../actor/environments/painter.ts";

const size = { width: 40, height: 30 };

/** White shape on black: how much of each pixel it covers, 0 to 255, by the distance of the pixel's centre from its edge. */
function covered(distance: (x: number, y: number) => number): number[] {
  return Array.from({ length: size.width * size.height }, (_, i) => {
    const [x, y] = [(i % size.width) + 0.5, Math.floor(i / size.width) + 0.5];
    const cover = Math.min(1, Math.max(0, 0.5 - distance(x, y)));
    return cover === 0 ? 0 : Math.min(255, Math.floor(255 * cover + 0.5));
  });
}
function painted(paint: (painter: Painter) => void): number[] {
  const painter = new Painter(size, [0, 0, 0]);
  paint(painter);
  const { rgb } = painter.picture();
  return Array.from({ length: size.width * size.height }, (_, i) => rgb[3 * i + 1]!);
}

it.each<[Point, number]>([
  [[20, 15], 9],
  [[0.3, 29], 12], // over a corner
  [[20, 15], 200], // larger than the picture
  [[-30, 10], 20], // outside
])("a disc at %j, %i wide, covers the pixels that lie in it, with a soft edge", (at, thickness) => {
  const disc = covered((x, y) => Math.hypot(x - at[0], y - at[1]) - thickness / 2);
  expect(painted((painter) => painter.line(at, at, thickness, [255, 255, 255]))).toEqual(disc);
});

it("a slanted line and a box reach to their ends and no further", () => {
  const line = painted((painter) => painter.line([5, 4], [33, 25], 3, [255, 255, 255]));
  const along = (x: number, y: number) => Math.min(1, Math.max(0, ((x - 5) * 28 + (y - 4) * 21) / (28 * 28 + 21 * 21)));
  const far = (x: number, y: number) => Math.hypot(x - 5 - along(x, y) * 28, y - 4 - along(x, y) * 21) - 1.5;
  expect(line).toEqual(covered(far));
  const box = painted((painter) => painter.box([20, 15], { width: 10, height: 6 }, 0, [255, 255, 255]));
  expect(box.filter((cover) => cover === 255)).toHaveLength(10 * 6);
  expect(box.filter((cover) => cover > 0 && cover < 255)).toEqual([]);
});
