import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const RECORDER = new URL('record-code-cache.ts', import.meta.url).pathname;
const THREAD_KINDS = ['main', 'store', 'couriers', 'gateway', 'pool'];
const TIMEOUT_MS = 60_000;

async function send(
  url: string,
  method: string,
  path: string,
  token?: string,
  body?: object,
): Promise<Record<string, string>> {
  const response = await fetch(`${url}/_matrix/client/v3/${path}`, {
    method,
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}

/** What a server does first and most: what was compiled for that is in the caches. */
async function useServer(url: string): Promise<void> {
  const { access_token: token = '' } = await send(url, 'POST', 'register', undefined, {
    username: 'ann',
    password: 'correct horse battery',
    auth: { type: 'm.login.dummy' },
  });
  const { room_id: room = '' } = await send(url, 'POST', 'createRoom', token, {
    preset: 'public_chat',
    name: 'a room',
  });
  const content = { msgtype: 'm.text', body: 'hello' };
  await send(url, 'PUT', `rooms/${encodeURIComponent(room)}/send/m.room.message/1`, token, content);
  const { next_batch: since = '' } = await send(url, 'GET', 'sync?timeout=0', token);
  await send(url, 'GET', `sync?timeout=0&since=${since}`, token);
}

/** How a bundle is run so that its code is recorded. */
export interface RecordingOptions {
  /** Ends it, whatever it is at. */
  readonly unwanted?: AbortSignal;
  /** Flags that change what the engine compiles: whoever takes the caches has to have the same. */
  readonly nodeFlags?: readonly string[];
  /** Where its data folder is made; the system's folder for such things otherwise. */
  readonly dataParent?: string;
}

/**
 * Runs a bundle once, in a process of its own and with a data folder of its own, so that the engine's compiled code of each thread is known.
 *
 * @param folder holds `program.js` and `texts.json`; `code-cache` comes to be in it
 * @param execPath the Node that will run it: another one refuses the caches
 */
export async function makeCodeCaches(
  folder: string,
  execPath: string,
  { unwanted, nodeFlags = [], dataParent = tmpdir() }: RecordingOptions = {},
): Promise<void> {
  unwanted?.throwIfAborted();
  const data = mkdtempSync(join(dataParent, 'troupe-code-cache-'));
  const { NODE_OPTIONS: nodeOptions } = process.env;
  const child = spawn(execPath, [...nodeFlags, RECORDER], {
    cwd: data,
    env: {
      BUNDLE_FOLDER: folder,
      TROUPE_SERVER_LISTEN: '127.0.0.1:0',
      TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0',
      TROUPE_REGISTRATION_OPEN: 'true',
      TROUPE_LOG_LEVEL: 'error',
      ...(nodeOptions === undefined ? {} : { NODE_OPTIONS: nodeOptions }),
    },
    // It ends when nobody holds the other end of its standard input.
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  unwanted?.addEventListener('abort', kill);
  const timer = setTimeout(kill, TIMEOUT_MS);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    let printed = '';
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      printed += chunk as string;
      if (!printed.includes('Ready.')) continue;
      await useServer(/listening on\s+(\S+)/.exec(printed)?.[1] ?? '');
      break;
    }
    child.kill('SIGTERM');
    const code = await ended;
    unwanted?.throwIfAborted();
    if (code !== 0) throw new Error(`the bundle does not run: it ended with ${code}`);
    const missing = THREAD_KINDS.filter((kind) => !existsSync(join(folder, 'code-cache', kind)));
    if (missing.length > 0) throw new Error(`nothing was recorded of the threads ${missing.join(', ')}`);
  } finally {
    clearTimeout(timer);
    kill();
    await ended;
    unwanted?.removeEventListener('abort', kill);
    rmSync(data, { recursive: true, force: true });
  }
}
