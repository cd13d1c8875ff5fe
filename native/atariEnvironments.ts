import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { OperatorError } from "../shared/errors.ts";
import { didYouMean } from "../shared/suggest.ts";
import { parseOptions } from "./environmentOptions.ts";

/** The ROMs whose rewards, lives and ends ALE 0.12.1 knows for one player. */
const games = `adventure air_raid alien amidar assault asterix asteroids atlantis atlantis2 backgammon bank_heist
  basic_math battle_zone beam_rider berzerk blackjack bowling boxing breakout carnival casino centipede chopper_command
  crazy_climber crossbow darkchambers defender demon_attack donkey_kong double_dunk earthworld elevator_action enduro
  entombed et fishing_derby flag_capture freeway frogger frostbite galaxian gopher gravitar hangman haunted_house hero
  human_cannonball ice_hockey jamesbond journey_escape kaboom kangaroo keystone_kapers king_kong klax koolaid krull
  kung_fu_master laser_gates lost_luggage mario_bros miniature_golf montezuma_revenge mr_do ms_pacman name_this_game
  othello pacman phoenix pitfall pitfall2 pong pooyan private_eye qbert riverraid road_runner robotank seaquest
  sir_lancelot skiing solaris space_invaders space_war star_gunner superman surround tennis tetris tic_tac_toe_3d
  time_pilot trondead turmoil tutankham up_n_down venture video_checkers video_chess video_cube video_pinball
  wizard_of_wor word_zapper yars_revenge zaxxon`.split(/\s+/);

/** EnvPool's task names: up_n_down is UpNDown-v5, riverraid Riverraid-v5. */
const idOf = (game: string): string =>
  `${game
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")}-v5`;

const gameById: ReadonlyMap<string, string> = new Map(games.map((game) => [idOf(game), game]));

/** Ids as in EnvPool, whether their ROM is here or not. */
export const atariEnvironmentIds: readonly string[] = [...gameById.keys()];

/** EnvPool's options of its `-v5` tasks in camelCase, with its defaults but for episodicLife and rewardSign. */
export const AtariOptions = z.strictObject({
  frameSkip: z.int().min(1).max(1000).default(4).describe("frames per agent step; the last two are pooled by maximum"),
  frameStack: z.int().min(1).max(64).default(4).describe("frames in one observation, oldest first"),
  noopMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(30)
    .describe("each reset waits 1 to noopMax frames (one less with useFireReset)"),
  episodicLife: z
    .boolean()
    .default(true)
    .describe("a lost life ends the episode, the game goes on; false plays whole games"),
  rewardSign: z
    .boolean()
    .default(true)
    .describe("rewards are the sign of the score's change; false gives the change itself"),
  useFireReset: z.boolean().default(true).describe("each reset presses FIRE once in games that have it"),
  repeatActionProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("sticky actions: probability per frame that the last action stays"),
  maxEpisodeSteps: z
    .int()
    .positive()
    .max(2147483646)
    .default(27_000)
    .describe("agent steps of a game until truncation"),
  fullActionSpace: z.boolean().default(false).describe("all 18 joystick actions instead of those that the game uses"),
  mode: z.int().nonnegative().max(65535).nullable().default(null).describe("the game's mode; null: its default"),
  difficulty: z
    .int()
    .nonnegative()
    .max(65535)
    .nullable()
    .default(null)
    .describe("the console's difficulty switches; null: 0"),
});
export type AtariOptions = Readonly<z.infer<typeof AtariOptions>>;

/** What the addon is told. */
export interface AtariSettings extends AtariOptions {
  readonly rom: string; // path
  readonly game: string;
}

export interface AtariEnvironment {
  readonly options: AtariOptions;
  readonly settings: AtariSettings;
}

/** Ids of the games whose ROM lies in `romFolder`. */
export function atariGames(romFolder: string | null): string[] {
  if (romFolder === null) return [];
  return [...gameById].filter(([, game]) => existsSync(join(romFolder, `${game}.bin`))).map(([id]) => id);
}

/**
 * What makes environment `id`. Throws ENVIRONMENT for an unknown id, CONFIG with name, value and remedy for a wrong
 * option, SETUP for a ROM that is not there.
 */
export function atariEnvironment(
  id: string,
  envOptions: Readonly<Record<string, unknown>>,
  romFolder: string | null,
): AtariEnvironment {
  const game = gameById.get(id);
  if (game === undefined)
    throw new OperatorError("ENVIRONMENT", `There is no Atari game "${id}".`, didYouMean(id, atariEnvironmentIds));
  const options = parseOptions(id, AtariOptions, envOptions);
  if (romFolder === null)
    throw new OperatorError("SETUP", `${id} needs ${game}.bin, and there is no ROM folder.`, "Run: npm run setup");
  const rom = join(romFolder, `${game}.bin`);
  if (!existsSync(rom))
    throw new OperatorError(
      "SETUP",
      `${id} needs the ROM ${game}.bin, which is not in ${romFolder}.`,
      "Put it there, or run: npm run setup",
    );
  return { options, settings: { ...options, rom, game } };
}
