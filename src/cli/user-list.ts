import type { CommandContext } from './command.ts';
import type { ControlClient } from './control-client.ts';

/** A user as the server lists it: `GET /_troupe/control/v1/users`. */
interface ListedUser {
  readonly name: string;
  readonly admin: boolean;
  readonly guest: boolean;
  readonly deactivated: boolean;
  readonly locked: boolean;
  readonly suspended: boolean;
  readonly created_ts: number;
  readonly last_seen_ts: number | null;
}

interface Page {
  readonly users: readonly ListedUser[];
  readonly next: string | null;
}

const STANDINGS = ['admin', 'guest', 'deactivated', 'locked', 'suspended'] as const;
const TIME_WIDTH = 'YYYY-MM-DD HH:MM'.length;
const STANDING_WIDTH = 'admin,locked,suspended'.length;

/** As in `2026-11-23 09:05`, on the machine's clock. */
function showTime(ts: number | null): string {
  if (ts === null) return '-';
  const at = new Date(ts);
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** The name comes last, since it may be long. */
function showLine(created: string, seen: string, standing: string, name: string): string {
  return `${created.padEnd(TIME_WIDTH)}  ${seen.padEnd(TIME_WIDTH)}  ${standing.padEnd(STANDING_WIDTH)}  ${name}\n`;
}

function showUser(user: ListedUser): string {
  const standing = STANDINGS.filter((each) => user[each]).join(',') || '-';
  return showLine(showTime(user.created_ts), showTime(user.last_seen_ts), standing, user.name);
}

/** Prints all users, page by page: as lines under a head, or as one JSON array. Ends early when nobody reads any more. */
export async function printUsers(
  { print }: Pick<CommandContext, 'print'>,
  server: ControlClient,
  isJson: boolean,
): Promise<void> {
  let after: string | null = '';
  let separator = '[\n';
  let head = isJson ? '' : showLine('CREATED', 'LAST SEEN', 'STANDING', 'NAME');
  while (after !== null) {
    // The next page begins where this one ends.
    const answer = await server.ask('GET', `/users?after=${encodeURIComponent(after)}`);
    const { users, next } = answer as unknown as Page;
    let text = head;
    head = '';
    for (const user of users) {
      text += isJson ? `${separator}${JSON.stringify(user)}` : showUser(user);
      separator = ',\n';
    }
    if (!(await print(text))) return;
    after = next;
  }
  if (isJson) await print(separator === '[\n' ? '[]\n' : '\n]\n');
}
