import type { Environment } from '../../../actors/environment.ts';

/** What the committer finds on its thread: its data folder is all that it looks at. */
export function committerEnv(start: { readonly data: unknown }): Environment {
  return { config: { data: { path: start.data } } } as unknown as Environment;
}
