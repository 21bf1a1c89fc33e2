import type { FederationClient } from '../federation-client.ts';

/**
 * A client whose parts are made with the first request: most starts of the program need none of them.
 *
 * @param make loads and makes it
 */
export function lazyFederationClient(make: () => Promise<FederationClient>): FederationClient {
  let made: Promise<FederationClient> | null = null;
  // What fails once may work the next time, such as a file that is being replaced.
  const client = (): Promise<FederationClient> =>
    (made ??= make().catch((error: unknown) => {
      made = null;
      throw error;
    }));
  return {
    request: async (request) => (await client()).request(request),
    stream: async (request) => (await client()).stream(request),
  };
}
