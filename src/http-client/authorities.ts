import { readFileSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';

/** The file of certificate authorities cannot be read, or holds none. */
export class AuthoritiesUnusable extends Error {
  constructor(file: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`federation.ca_file = "${file}" cannot be used: ${reason}`);
    this.name = 'AuthoritiesUnusable';
  }
}

/**
 * What the other side's certificate must come from: the authorities of a file, and those that every program trusts. To be made once and
 * used for many connections: it holds more than a hundred certificates, parsed.
 *
 * @param file PEM; empty for none
 * @returns undefined for none: what Node trusts by itself
 * @throws AuthoritiesUnusable
 */
export function readAuthorities(file: string): SecureContext | undefined {
  if (file === '') return undefined;
  try {
    const own = readFileSync(file, 'utf8');
    if (!own.includes('-----BEGIN')) throw new Error('it holds no PEM');
    return createSecureContext({ ca: [...getCACertificates('default'), own] });
  } catch (error) {
    throw new AuthoritiesUnusable(file, error);
  }
}
