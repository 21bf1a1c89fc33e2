import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from './person.ts';

const GUIDE = new URL('../../docs/nginx.md', import.meta.url);

/** What the guide says is put in the place of what it assumes. */
export interface NginxPlace {
  /** Where everything of it stands. */
  readonly folder: string;
  readonly clientPort: number;
  readonly federationPort: number;
  readonly upstream: string;
  readonly certificate: string;
  readonly key: string;
}

/** Why nginx cannot be run here; undefined when it can. */
export function missingNginx(): string | undefined {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `nginx cannot be run here: ${(error as Error).message}`;
  }
}

/** The block of the guide as it stands there. */
function guideBlock(): string {
  const block = /```nginx\n([\s\S]*?)```/.exec(readFileSync(GUIDE, 'utf8'))?.[1];
  if (block === undefined) throw new Error('the guide has no block for nginx');
  return block;
}

/** Replaces what stands exactly once or more; a guide that says something else now is found out. */
function replaced(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the guide does not say "${from}" any more`);
  return text.replaceAll(from, to);
}

function configurationOf(place: NginxPlace): string {
  const { folder, clientPort, federationPort, upstream, certificate, key } = place;
  // The tests' machines may have no IPv6.
  let block = guideBlock().replaceAll(/^ *listen \[::\].*\n/gm, '');
  block = replaced(block, 'listen 443 ', `listen 127.0.0.1:${clientPort} `);
  block = replaced(block, 'listen 8448 ', `listen 127.0.0.1:${federationPort} `);
  block = replaced(block, 'server 127.0.0.1:8008;', `server ${upstream};`);
  block = replaced(block, '/etc/letsencrypt/live/example.org/fullchain.pem', certificate);
  block = replaced(block, '/etc/letsencrypt/live/example.org/privkey.pem', key);
  const owner = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join('\n');
  return `${owner}
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')};
events {}
http {
${temporary}
access_log off;
${block}
}
`;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Runs nginx as the guide says. */
export async function startNginx(place: NginxPlace): Promise<{ stop(): Promise<void> }> {
  mkdirSync(place.folder, { recursive: true });
  const file = join(place.folder, 'nginx.conf');
  writeFileSync(file, configurationOf(place));
  const child: ChildProcess = spawn(
    'nginx',
    ['-p', place.folder, '-c', file, '-e', join(place.folder, 'error.log'), '-g', 'daemon off;'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await eventually('nginx to listen', async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${said}`);
    return answers(place.clientPort);
  });
  return {
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
