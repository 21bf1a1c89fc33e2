import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { eventually } from './person.ts';

/** Node knows no datagram sockets on paths. Prints each message as one line of JSON: its variables, one a line in the message. */
const RECEIVER = `
import json, os, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print(json.dumps("bound"), flush=True)
while True:
    # Without room for what comes along (a file descriptor of systemd-notify, which waits until it is closed) the kernel closes it.
    print(json.dumps(receiver.recv(65536).decode()), flush=True)
`;

/** What a service manager hears. */
export interface NotifySocket {
  readonly path: string;
  /** The messages so far, each with its variables by name; what only synchronises is left out. */
  messages(): readonly Readonly<Record<string, string>>[];
  close(): void;
}

/** Why there can be none here; undefined when there can. */
export function missingNotify(): string | undefined {
  for (const [program, flag] of [
    ['python3', '--version'],
    ['systemd-notify', '--version'],
  ] as const)
    try {
      execFileSync(program, [flag], { stdio: 'pipe' });
    } catch {
      return `there is no ${program} here`;
    }
  return undefined;
}

/** Listens as systemd does. */
export async function openNotifySocket(path: string): Promise<NotifySocket> {
  const child: ChildProcess = spawn('python3', ['-c', RECEIVER, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  if (child.stdout === null) throw new Error('the receiver has no output');
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line) as string));
  await eventually('the socket to be bound', () => lines.length > 0);
  return {
    path,
    messages: () =>
      lines
        .slice(1)
        .map(
          (text) =>
            Object.fromEntries(text.split('\n').map((line) => line.split(/=(.*)/s, 2))) as Record<
              string,
              string
            >,
        )
        .filter((message) => !('BARRIER' in message)),
    close: () => void child.kill(),
  };
}
