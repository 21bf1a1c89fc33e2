import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock, Timer } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';

/** How often the files are looked at, in milliseconds: who renews a certificate does so days before it ends. */
export const CERTIFICATE_CHECK_INTERVAL_MS = 60_000;

/** Where a listener's certificate, with the chain above it, and its private key are: PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** The files are not there, cannot be read, or do not belong together. */
export class CertificateUnusable extends Error {
  constructor({ certificate, key }: CertificateFiles, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `federation.tls_certificate = "${certificate}" and federation.tls_key = "${key}" cannot be used: ${reason}`,
    );
    this.name = 'CertificateUnusable';
  }
}

/**
 * Reads the files and tries them out.
 *
 * @throws CertificateUnusable
 */
export function readCertificate(files: CertificateFiles): SecureContextOptions {
  try {
    const read = { cert: readFileSync(files.certificate), key: readFileSync(files.key) };
    createSecureContext(read);
    return read;
  } catch (error) {
    throw new CertificateUnusable(files, error);
  }
}

/** Changes whenever one of the files is written, or another one is put in its place. */
function versionOf(files: CertificateFiles): string {
  return [files.certificate, files.key]
    .map((file) => {
      const found = statSync(file, { throwIfNoEntry: false });
      return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeMs}`;
    })
    .join();
}

/**
 * Looks at the files again and again, and hands on what is new in them. Files that cannot be used are said so of once, and what was there
 * before stays: whoever renews a certificate writes one file after the other.
 *
 * @param use takes the new certificate: for connections that begin from now on
 * @returns ends it
 */
export function followCertificate(
  files: CertificateFiles,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  use: (certificate: SecureContextOptions) => void,
): () => void {
  let version = versionOf(files);
  let timer: Timer;
  const look = (): void => {
    const now = versionOf(files);
    if (now !== version) {
      version = now;
      try {
        use(readCertificate(files));
        log.info('a new certificate is in use', { file: files.certificate });
      } catch (error) {
        if (!(error instanceof CertificateUnusable)) throw error;
        log.error('the new certificate cannot be used', { reason: error.message });
      }
    }
    timer = clock.after(CERTIFICATE_CHECK_INTERVAL_MS, look);
  };
  timer = clock.after(CERTIFICATE_CHECK_INTERVAL_MS, look);
  return () => clock.cancel(timer);
}

/**
 * Makes an HTTPS server, not listening yet, whose certificate is renewed with its files.
 *
 * @returns the server, and what ends the looking at the files
 * @throws CertificateUnusable
 */
export function openTlsServer(
  files: CertificateFiles,
  limits: ServerOptions,
  parts: { readonly clock: Clock; readonly log: Logger },
): { readonly server: Server; readonly end: () => void } {
  const server = createServer({ ...limits, ...readCertificate(files) });
  const end = followCertificate(files, parts, (renewed) => server.setSecureContext(renewed));
  return { server, end };
}
