import ipaddr from 'ipaddr.js';

/** Says which addresses a page may be fetched from. */
export interface AddressGuard {
  /** @param address IPv4 or IPv6 as text; what is neither is not allowed */
  isAllowed(address: string): boolean;
}

type Address = ReturnType<typeof ipaddr.process>;
type Network = ReturnType<typeof ipaddr.parseCIDR>;

function contains([network, bits]: Network, address: Address): boolean {
  return network.kind() === address.kind() && address.match(network, bits);
}

/** All that is public in IPv6. Around it lie old ways to write IPv4 addresses, such as `::a00:1`. */
const PUBLIC_IPV6 = ipaddr.parseCIDR('2000::/3');

function isPublic(address: Address): boolean {
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || contains(PUBLIC_IPV6, address));
}

/**
 * Allows public unicast addresses: nothing private, local, reserved, shared or tunnelled. IPv4 addresses inside of IPv6 ones count as IPv4.
 *
 * @param deny further networks (CIDR) that are not allowed
 * @param allow networks (CIDR) that are allowed although they are not public; `deny` wins
 */
export function createAddressGuard(deny: readonly string[], allow: readonly string[]): AddressGuard {
  const denied = deny.map((network) => ipaddr.parseCIDR(network));
  const allowed = allow.map((network) => ipaddr.parseCIDR(network));
  return {
    isAllowed(text) {
      if (!ipaddr.isValid(text)) return false;
      const address = ipaddr.process(text);
      if (denied.some((network) => contains(network, address))) return false;
      return isPublic(address) || allowed.some((network) => contains(network, address));
    },
  };
}
