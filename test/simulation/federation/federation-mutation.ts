import type { FederationClient } from '../../../src/federation/federation-client.ts';
import type { ChangeContext } from '../wire.ts';

/** A way to be wrong: what is put between the parts of each server. None of its parts is edited. */
export interface FederationMutation {
  readonly name: string;
  /** What notices it: how the fault begins. */
  readonly noticedBy: RegExp;
  /** Changes what servers ask each other. */
  readonly client?: (client: FederationClient) => FederationClient;
  /** Changes what the actors of a server are given, by their name. */
  readonly contexts?: (server: string) => Readonly<Record<string, ChangeContext>>;
}

/** The servers as they are. */
export const AS_THEY_ARE: FederationMutation = { name: 'as they are', noticedBy: /(?!)/ };
