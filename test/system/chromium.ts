import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

/** A browser of this machine; undefined: there is none, and what needs one is skipped. */
export const chromiumFile = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);
export const whyNoBrowser = chromiumFile === undefined ? " (skipped: no Chromium is installed here)" : "";

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumFile!, args: ["--no-sandbox", "--disable-gpu"] });

/** What a page said on its console and whom it asked, from now on. */
export interface Overheard {
  readonly errors: string[]; // of the console, and uncaught ones
  readonly hosts: Set<string>; // host:port of everything that was asked for
}

export function overhear(page: Page): Overheard {
  const overheard: Overheard = { errors: [], hosts: new Set() };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") overheard.errors.push(message.text());
  });
  page.on("pageerror", (error) => overheard.errors.push(String(error)));
  page.on("request", (request) => overheard.hosts.add(new URL(request.url()).host));
  return overheard;
}
