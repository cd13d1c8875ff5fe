import type { PageRun, PageSession, PageStatus } from "../shared/pageEvents.ts";
import { ask, proof, Refused } from "./connection.ts";
import { byId, setText, show } from "./element.ts";

type Action = "PAUSE" | "RESUME" | "STOP";
const allowed: Readonly<Record<Action, readonly PageStatus["state"][]>> = {
  PAUSE: ["RUNNING"],
  RESUME: ["PAUSED"],
  STOP: ["RUNNING", "PAUSED"],
};

/** Pause, resume, stop, and the control token that they need. */
export class Controls {
  readonly #say: (text: string) => void;
  readonly #onUnlocked: () => void;
  #run: PageRun | null = null;
  #status: PageStatus | null = null;
  #connected = false;
  #asking = false;
  #afterUnlock: (() => void) | null = null;

  /** `say`: told to who looks and to who listens. `onUnlocked`: the token was right. */
  constructor(say: (text: string) => void, onUnlocked: () => void) {
    this.#say = say;
    this.#onUnlocked = onUnlocked;
    byId("pause").addEventListener("click", () => void this.#order("PAUSE"));
    byId("resume").addEventListener("click", () => void this.#order("RESUME"));
    byId("unlock").addEventListener("click", () => this.unlock(null));
    byId("unlockView").addEventListener("click", () => this.unlock(null));
    const stop = byId<HTMLDialogElement>("stopDialog");
    byId("stop").addEventListener("click", () => stop.showModal());
    byId("stopCancel").addEventListener("click", () => stop.close());
    byId("stopConfirm").addEventListener("click", () => {
      stop.close();
      void this.#order("STOP");
    });
    const dialog = byId<HTMLDialogElement>("tokenDialog");
    byId("tokenCancel").addEventListener("click", () => dialog.close());
    byId("tokenForm").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#showToken(dialog);
    });
  }

  get unlocked(): boolean {
    return proof.get() !== "";
  }

  show(run: PageRun, status: PageStatus): void {
    this.#run = run;
    this.#status = status;
    this.#draw();
  }

  set connected(connected: boolean) {
    this.#connected = connected;
    this.#draw();
  }

  /** Asks for the token; `then` runs once it is right. */
  unlock(then: (() => void) | null): void {
    this.#afterUnlock = then;
    setText(byId("tokenProblem"), "");
    const field = byId<HTMLInputElement>("token");
    field.value = "";
    byId<HTMLDialogElement>("tokenDialog").showModal();
    field.focus();
  }

  /** Runs what needs the token; where it is missing or not good any more, it is asked for first. */
  async withToken(act: () => Promise<void>): Promise<void> {
    const again = (): void => void this.withToken(act);
    if (!this.unlocked) return this.unlock(again);
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Refused)) return this.#say("The coordinator does not answer.");
      if (error.status !== 401) return this.#say(error.message);
      proof.forget();
      this.unlock(again);
    }
  }

  #order(action: Action): Promise<void> {
    return this.withToken(async () => {
      this.#asking = true;
      this.#draw();
      try {
        await ask("/api/control", { action });
      } finally {
        this.#asking = false;
        this.#draw();
      }
    });
  }

  async #showToken(dialog: HTMLDialogElement): Promise<void> {
    const field = byId<HTMLInputElement>("token");
    try {
      const { control } = await ask<PageSession>("/api/session", { token: field.value.trim() });
      if (control !== "") proof.set(control);
      dialog.close();
      this.#onUnlocked();
      this.#draw();
      if (control !== "") this.#afterUnlock?.();
    } catch (error) {
      setText(byId("tokenProblem"), error instanceof Refused ? error.message : "The coordinator does not answer.");
      field.select();
    }
  }

  #draw(): void {
    const run = this.#run;
    const status = this.#status;
    if (run === null || status === null) return;
    const wakes = status.over && run.goesOnBy === "resume" && status.state !== "FINISHED";
    show(byId("controls"), !status.over || wakes);
    show(byId("readOnly"), !run.controllable);
    show(byId("unlock"), run.controllable && !this.unlocked);
    for (const action of ["PAUSE", "RESUME", "STOP"] as const) {
      const button = byId<HTMLButtonElement>(action.toLowerCase());
      const possible = wakes ? action === "RESUME" : allowed[action].includes(status.state);
      const shown = possible || (action === "STOP" && !status.over);
      show(button, run.controllable && this.unlocked && shown);
      // Not `disabled`: that would take the focus away from who works by keyboard.
      button.setAttribute("aria-disabled", String(!possible || !this.#connected || this.#asking));
    }
  }
}
