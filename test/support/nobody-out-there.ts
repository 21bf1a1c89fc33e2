import type { FederationAnswer, FederationClient } from '../../src/federation/federation-client.ts';

const UNREACHABLE = {
  kind: 'unreachable',
  reason: 'there are no other servers in this test',
  retryTs: null,
} as const;

/** For worlds without other servers: none of them answers. */
export const NOBODY_OUT_THERE: FederationClient = {
  request: (): Promise<FederationAnswer> => Promise.resolve(UNREACHABLE),
  stream: () => Promise.resolve(UNREACHABLE),
};
