import type { Sharp } from "sharp";
import type { Picture } from "../shared/environment.ts";
import { messageOf, OperatorError } from "../shared/errors.ts";

export interface StillImage {
  readonly mediaType: "image/png" | "image/jpeg";
  readonly bytes: Buffer;
}

export type ImageOf = (picture: Picture) => Sharp;

/**
 * How a picture becomes an image of sharp's, one thread at a time: what is watched must not slow what is trained. Rejects
 * with SETUP where sharp's library does not load.
 */
export async function imageMaker(): Promise<ImageOf> {
  try {
    const { default: sharp } = await import("sharp");
    sharp.concurrency(1);
    sharp.cache(false);
    return ({ rgb, width, height }) => sharp(rgb, { raw: { width, height, channels: 3 } });
  } catch (cause) {
    const problem = `The image library sharp cannot be loaded: ${messageOf(cause).split("\n")[0]}.`;
    throw new OperatorError("SETUP", problem, "Run: npm run setup", { cause });
  }
}

/** PNG, exact, for an old console's screen, which is small; JPEG for everything else. */
export async function stillImage(picture: Picture, imageOf: ImageOf): Promise<StillImage> {
  const image = imageOf(picture);
  if (picture.pixelated) return { mediaType: "image/png", bytes: await image.png({ compressionLevel: 6 }).toBuffer() };
  return { mediaType: "image/jpeg", bytes: await image.jpeg({ quality: 88 }).toBuffer() };
}
