import type { Config } from '../../config/config.ts';
import { createAddressGuard } from '../../http-client/address-guard.ts';
import { readAuthorities } from '../../http-client/authorities.ts';
import { lookupBySystem } from '../../http-client/guarded-connect.ts';
import type { RedirectGround } from './redirected-content.ts';

const EVERY_NETWORK = ['0.0.0.0/0', '::/0'];

/** What may be reached, and believed, as for other servers themselves. @throws AuthoritiesUnusable */
export function createRedirectGround({
  allowPrivateAddresses,
  caFile,
}: Config['federation']): RedirectGround {
  const authorities = readAuthorities(caFile);
  return {
    guard: createAddressGuard([], allowPrivateAddresses ? EVERY_NETWORK : []),
    lookup: lookupBySystem,
    ...(authorities !== undefined && { authorities }),
  };
}
