import { rename, rm, writeFile } from "node:fs/promises";
import type { Picture } from "../../shared/environment.ts";
import { type Animation, type AnimationSettings, cannotWrite, unfinished } from "./animation.ts";
import { enlarged } from "./enlarged.ts";

const fileHeader = 12; // "RIFF", length, "WEBP"

/**
 * An animated WebP that plays for ever: each picture encoded by itself, then framed as the WebP container specification
 * says (VP8X, ANIM, an ANMF per picture). Only the encoded pictures are kept in memory.
 */
export class AnimatedWebp implements Animation {
  readonly #settings: AnimationSettings;
  readonly #frames: Buffer[] = [];
  #size = { width: 0, height: 0 };
  #shownMs = 0; // of all frames so far, so that rounding does not add up

  constructor(settings: AnimationSettings) {
    this.#settings = settings;
  }

  async add(picture: Picture): Promise<void> {
    const { width, height, pixelated } = picture;
    const { imageOf, secondsPerFrame } = this.#settings;
    const shown = enlarged(picture);
    const options = pixelated ? { lossless: true, effort: 2 } : { quality: 82, effort: 2 };
    const encoded = await imageOf(shown).webp(options).toBuffer();
    this.#size = pixelated ? { width: 2 * width, height: 2 * height } : { width, height };
    const endMs = Math.round((this.#frames.length + 1) * secondsPerFrame * 1000);
    const head = Buffer.alloc(16);
    head.writeUIntLE(shown.width - 1, 6, 3); // the offsets before are 0
    head.writeUIntLE(shown.height - 1, 9, 3);
    head.writeUIntLE(endMs - this.#shownMs, 12, 3);
    head[15] = 0b10; // replaces what is beneath
    this.#shownMs = endMs;
    this.#frames.push(chunk("ANMF", Buffer.concat([head, encoded.subarray(fileHeader)])));
  }

  async finish(): Promise<void> {
    const { file } = this.#settings;
    const canvas = Buffer.alloc(10);
    canvas[0] = 0b10; // an animation
    canvas.writeUIntLE(this.#size.width - 1, 4, 3);
    canvas.writeUIntLE(this.#size.height - 1, 7, 3);
    const chunks = [chunk("VP8X", canvas), chunk("ANIM", Buffer.alloc(6)), ...this.#frames]; // looped 0 times: for ever
    const temporary = unfinished(file);
    try {
      await writeFile(temporary, chunk("RIFF", Buffer.concat([Buffer.from("WEBP"), ...chunks])));
      await rename(temporary, file);
    } catch (cause) {
      await this.abandon();
      throw cannotWrite(file, cause);
    }
  }

  async abandon(): Promise<void> {
    await rm(unfinished(this.#settings.file), { force: true });
  }
}

/** Name, length and content, which is padded to an even length. */
function chunk(name: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(name, "latin1");
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
}
