import type { Program } from '../../actors/program.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';

/** Accounts that wait for their commit at one moment. */
const ACCOUNTS_AT_ONCE = 100;

/** A device of an account without a password, which would cost more than all that is measured. */
export interface MadeUpDevice {
  readonly userId: string;
  readonly token: string;
}

async function register(program: Program, localpart: string): Promise<MadeUpDevice> {
  const accounts = program.supervisor.ref('accounts');
  const registered = await accounts.ask('accounts.register', {
    userId: `@${localpart}:localhost`,
    passwordHash: null,
    isAdmin: false,
    displayname: localpart,
    registrationToken: null,
    device: null,
  });
  if (isRefusal(registered)) throw new Error(`register ${localpart}: ${registered.error}`);
  const { userId } = registered;
  const device = { deviceId: null, initialDeviceDisplayName: null };
  const login = await accounts.ask('accounts.log-in', { userId, ...device });
  if (isRefusal(login)) throw new Error(`log in ${localpart}: ${login.error}`);
  return { userId, token: login.accessToken };
}

/** Makes accounts with a device each, through the owner of accounts. */
export async function registerDevices(
  program: Program,
  prefix: string,
  count: number,
): Promise<readonly MadeUpDevice[]> {
  const devices: MadeUpDevice[] = [];
  for (let start = 0; start < count; start += ACCOUNTS_AT_ONCE) {
    const size = Math.min(ACCOUNTS_AT_ONCE, count - start);
    const names = Array.from({ length: size }, (_, offset) => `${prefix}${start + offset}`);
    devices.push(...(await Promise.all(names.map((name) => register(program, name)))));
  }
  return devices;
}

/** Lets accounts join a room that anybody may join, through the owner of rooms. */
export async function joinAll(program: Program, roomId: string, userIds: readonly string[]): Promise<void> {
  const rooms = program.supervisor.ref('rooms');
  const join = async (userId: string): Promise<void> => {
    const change = { roomId, sender: userId, target: userId, action: 'join', content: {} } as const;
    const reply = await rooms.ask('rooms.change-membership', change);
    if (reply.kind !== 'sent') throw new Error(`join of ${userId}: ${reply.error}`);
  };
  for (let start = 0; start < userIds.length; start += ACCOUNTS_AT_ONCE)
    await Promise.all(userIds.slice(start, start + ACCOUNTS_AT_ONCE).map(join));
}
