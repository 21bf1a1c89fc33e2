import { readFileSync } from 'node:fs';
import { type Program, startProgram } from '../../actors/program.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { systemRandom } from '../../src/kit/random.ts';
import { ROOM_VERSIONS } from '../../src/matrix/rooms/room-versions.ts';

const BUILT_IN = new URL('../../config.toml', import.meta.url);
/** Joins that wait for their commit at one moment. */
const JOINS_AT_ONCE = 200;

/** A made-up member: nobody has such an account, and no request is made in its name. */
export function madeUpUser(index: number, serverName = 'localhost'): string {
  return `@u${index}:${serverName}`;
}

/**
 * Starts the whole program on this process, so that its actors can be asked without HTTP.
 *
 * @param folder its data folder, which it keeps
 */
export async function startInBench(folder: string): Promise<Program> {
  const config = loadConfig({
    defaults: { file: 'config.toml', text: readFileSync(BUILT_IN, 'utf8') },
    environment: {
      TROUPE_DATA_PATH: folder,
      TROUPE_SERVER_LISTEN: '127.0.0.1:0',
      TROUPE_INSPECTOR_LISTEN: '127.0.0.1:0',
      TROUPE_REGISTRATION_OPEN: 'true',
      TROUPE_RATE_LIMITS_ENABLED: 'false',
      TROUPE_LOG_LEVEL: 'silent',
    },
    roomVersions: ROOM_VERSIONS.map(({ id }) => id),
    cores: 2,
  });
  return startProgram({
    config,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    onFailure: (error) => {
      throw error;
    },
  });
}

/** Makes a room of a made-up creator that anybody may join, through the owner of rooms, and gives its id. */
export async function createBareRoom(program: Program): Promise<string> {
  const creator = madeUpUser(0);
  const reply = await program.supervisor.ref('rooms').ask('rooms.create-room', {
    creator,
    roomVersion: '11',
    creationContent: {},
    events: [
      { type: 'm.room.member', stateKey: creator, content: { membership: 'join' } },
      { type: 'm.room.power_levels', stateKey: '', content: { users: { [creator]: 100 } } },
      { type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'public' } },
    ],
    alias: null,
    isPublic: false,
  });
  if (reply.kind !== 'created') throw new Error(`create-room: ${reply.error}`);
  return reply.roomId;
}

/** Joins made-up users, by their numbers from `from` up to and without `to`, through the owner of rooms; who is in gets another name. */
export async function joinMadeUpUsers(
  program: Program,
  roomId: string,
  from: number,
  to: number,
  name = 'Member',
): Promise<void> {
  const rooms = program.supervisor.ref('rooms');
  const join = async (index: number): Promise<void> => {
    const userId = madeUpUser(index);
    const reply = await rooms.ask('rooms.change-membership', {
      roomId,
      sender: userId,
      target: userId,
      action: 'join',
      content: { displayname: `${name} ${index}` },
    });
    if (reply.kind !== 'sent') throw new Error(`join of ${userId}: ${reply.error}`);
  };
  for (let start = from; start < to; start += JOINS_AT_ONCE) {
    const count = Math.min(JOINS_AT_ONCE, to - start);
    await Promise.all(Array.from({ length: count }, (_, offset) => join(start + offset)));
  }
}
