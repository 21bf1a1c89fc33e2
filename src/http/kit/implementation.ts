import packageJson from '../../../package.json' with { type: 'json' };

/** The name and version of this implementation, as it tells them to clients, servers and tools. */
export const IMPLEMENTATION: { readonly name: string; readonly version: string } = {
  name: 'Troupe',
  version: packageJson.version,
};
