import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/** What the browser is called on Linux distributions. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** What it would otherwise do beside showing pages: ask the network for updates, sandbox itself where the system does not let it. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Where Chromium is: the program that `CHROMIUM` names, or the first on the path; null where there is none. */
export function findChromium(): string | null {
  const named = process.env['CHROMIUM'];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates =
    named === undefined ? folders.flatMap((folder) => NAMES.map((name) => join(folder, name))) : [named];
  const runs = (file: string): boolean => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      // Not there, or not for us: the next one.
      return false;
    }
  };
  return candidates.find(runs) ?? null;
}

/** Starts Chromium without a window, with a profile of its own that goes with it. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}
