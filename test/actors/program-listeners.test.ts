import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInProcess } from '../support/in-process-program.ts';
import { testAuthority } from '../support/test-certificates.ts';

describe('the listeners of the program', () => {
  let folder: string;

  /** The message with which it does not start. */
  const refusalOf = async (environment: Readonly<Record<string, string>>): Promise<string> => {
    const outcome = await startInProcess({ folder, environment }).catch((error: unknown) => error);
    if (outcome instanceof Error) return `${outcome.name}: ${outcome.message}`;
    throw new Error('it started');
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-listeners-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('says which option is wrong before anything starts: certificate, key, authorities, address', async () => {
    const files = testAuthority().writeTo(folder);
    const empty = join(folder, 'empty.pem');
    writeFileSync(empty, '');
    const tls = {
      TROUPE_FEDERATION_LISTEN: '127.0.0.1:0',
      TROUPE_FEDERATION_TLS_CERTIFICATE: files.certificate,
      TROUPE_FEDERATION_TLS_KEY: files.key,
    };
    expect(await refusalOf({ ...tls, TROUPE_FEDERATION_TLS_KEY: '' })).to.match(
      /^CertificateUnusable: .*federation\.tls_key = ""/,
    );
    expect(await refusalOf({ ...tls, TROUPE_FEDERATION_TLS_CERTIFICATE: empty })).to.include(
      'federation.tls_certificate',
    );
    expect(await refusalOf({ TROUPE_FEDERATION_CA_FILE: empty })).to.match(
      /^AuthoritiesUnusable: federation\.ca_file = /,
    );
    expect(await refusalOf({ ...tls, TROUPE_FEDERATION_LISTEN: '192.0.2.1:8448' })).to.match(
      /^AddressUnusable: federation\.listen = "192\.0\.2\.1:8448"/,
    );
  });
});
