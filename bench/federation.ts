import { benchFederationIn } from './federation-in.ts';
import { benchFederationJoin } from './federation-join.ts';
import { benchFederationOut } from './federation-out.ts';

/** All that servers have to do with each other. */
export async function benchFederation(nodeFlags: readonly string[]): Promise<void> {
  // One after another: they would disturb each other's figures.
  await benchFederationIn(nodeFlags);
  await benchFederationOut(nodeFlags);
  await benchFederationJoin(nodeFlags);
}
