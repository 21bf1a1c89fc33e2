import type { Config } from './config.ts';

/** The configuration as one thread sees it, which may change under those who hold it. */
export interface LiveConfig {
  /** Reads each section as it is at that moment: whoever keeps a section, or a value, keeps what was. */
  readonly config: Config;
  /** Puts another configuration in its place, in one step. */
  replace(next: Config): void;
}

/** Makes a configuration whose values may change while it is held. */
export function createLiveConfig(initial: Config): LiveConfig {
  let current = initial;
  const config: object = {};
  for (const section of Object.keys(initial) as (keyof Config)[])
    Object.defineProperty(config, section, { enumerable: true, get: () => current[section] });
  return {
    // Every section of it is there, by the loop above.
    config: config as Config,
    replace(next) {
      current = next;
    },
  };
}
