import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, PEM. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority that exists for one run of the tests. Needs the program `openssl`. */
export interface TestAuthority {
  /** PEM. */
  readonly certificate: string;
  /** @param names DNS names and addresses that the certificate is for; those of the loopback interface when absent */
  issue(names?: readonly string[]): TestCertificate;
  /** Writes `ca.pem`, `certificate.pem` and `key.pem` into a folder, as an administrator would have them. */
  writeTo(folder: string): { readonly ca: string; readonly certificate: string; readonly key: string };
}

/** What every test server is called: no name of these needs a name server. */
const LOOPBACK_NAMES = ['127.0.0.1', '::1', 'localhost'];
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-sha256'];
const DAYS = '2';

function openssl(folder: string, args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
}

function alternativeName(name: string): string {
  return /^[0-9.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`;
}

/** Works in a folder that is gone afterwards. */
function inFolder<T>(work: (folder: string, read: (file: string) => string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-certificates-'));
  try {
    return work(folder, (file) => readFileSync(join(folder, file), 'utf8'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeAuthority(): TestAuthority {
  const own = inFolder((folder, read): TestCertificate => {
    const subject = ['-subj', '/CN=Authority of these tests', '-days', DAYS];
    openssl(folder, ['req', '-x509', ...NEW_KEY, ...subject, '-keyout', 'ca.key', '-out', 'ca.pem']);
    return { certificate: read('ca.pem'), key: read('ca.key') };
  });
  const issue = (names = LOOPBACK_NAMES): TestCertificate =>
    inFolder((folder, read) => {
      writeFileSync(join(folder, 'ca.pem'), own.certificate);
      writeFileSync(join(folder, 'ca.key'), own.key);
      const alternatives = `subjectAltName=${names.map((name) => alternativeName(name)).join(',')}`;
      const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', DAYS];
      const extensions = ['-addext', alternatives, '-addext', 'basicConstraints=critical,CA:FALSE'];
      const subject = ['-subj', '/CN=A server of these tests', ...extensions];
      openssl(folder, ['req', '-x509', ...NEW_KEY, ...signer, ...subject, '-keyout', 'key', '-out', 'pem']);
      return { certificate: read('pem'), key: read('key') };
    });
  return {
    certificate: own.certificate,
    issue,
    writeTo(folder) {
      const { certificate, key } = loopbackCertificate();
      const files = {
        ca: join(folder, 'ca.pem'),
        certificate: join(folder, 'certificate.pem'),
        key: join(folder, 'key.pem'),
      };
      writeFileSync(files.ca, own.certificate);
      writeFileSync(files.certificate, certificate);
      writeFileSync(files.key, key);
      return files;
    },
  };
}

let authority: TestAuthority | null = null;
let ofLoopback: TestCertificate | null = null;

/** The authority of this process, made when it is first asked for. */
export function testAuthority(): TestAuthority {
  return (authority ??= makeAuthority());
}

/** A certificate for 127.0.0.1, ::1 and localhost: one for all servers of this process. */
export function loopbackCertificate(): TestCertificate {
  return (ofLoopback ??= testAuthority().issue());
}
