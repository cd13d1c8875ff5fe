import { InvalidArgumentError } from "commander";
import type { PictureSize } from "../shared/environment.ts";

/** Parsers of flags' values, for commander: each throws InvalidArgumentError saying what to give. */

export function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("Give a whole number of 1 or more.");
  return value;
}

export function seed(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError("Give a whole number of 0 or more.");
  return value;
}

export function port(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError("Give a port, 0 to 65535.");
  return value;
}

export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Above 60, browsers show an animated image's frames too slowly. */
export function framesPerSecond(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 60)
    throw new InvalidArgumentError("Give a whole number from 1 to 60.");
  return value;
}

export const usualSize: PictureSize = { width: 480, height: 360 };

export function pictureSize(text: string): PictureSize {
  const [, width, height] = (/^(\d+)x(\d+)$/.exec(text) ?? []).map(Number);
  const fits = (extent: number | undefined): extent is number => extent !== undefined && extent >= 16 && extent <= 4096;
  if (fits(width) && fits(height)) return { width, height };
  throw new InvalidArgumentError("Give WIDTHxHEIGHT in pixels, each 16 to 4096, such as 480x360.");
}
