import { DatabaseSync } from 'node:sqlite';
import type { DestinationState } from '../../../actors/federation-sender/protocol.ts';
import { TICK_MS } from '../../../actors/federation-sender/actor.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { eventIdOf } from '../../../src/matrix/events/event-id.ts';
import { contentHash } from '../../../src/matrix/events/hashes.ts';
import type { Pdu, ProtoPdu } from '../../../src/matrix/events/pdu.ts';
import { domainOf } from '../../../src/matrix/identifiers/domain.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { createScriptedServers, type ScriptedServers } from '../../support/scripted-servers.ts';
import { openSyncWorld, type SyncWorld } from '../../src/sync/sync-world.ts';

/** A server with a sender, and other servers that the test plays. */
export interface SenderWorld extends SyncWorld {
  readonly servers: ScriptedServers;
  /** A user of another server joins; through this server, where it is relayed. */
  join(roomId: string, userId: string, isRelayed?: boolean): Promise<void>;
  /** Gives a join that follows what is the newest now, and comes when it is called. */
  makeJoin(roomId: string, userId: string): Promise<(isRelayed: boolean) => Promise<void>>;
  /** Lets what is under way come to rest, without letting time pass. */
  rest(): Promise<void>;
  /** Lets so many ticks of the sender pass. */
  ticks(count: number): Promise<void>;
  /** Lets some time pass. */
  pass(lengthMs: number): Promise<void>;
  /** The next life of an actor; the last one ends as by a crash. */
  kill(actor: 'federation-sender' | 'federation'): Promise<void>;
  state(destination: string): Promise<DestinationState | undefined>;
  /** Rows of a table. */
  rows(sql: string): readonly Record<string, unknown>[];
  exec(sql: string): void;
}

const RESTART_MS = 100;

/** Messages are known by their text. */
function textOf(pdu: JsonObject): string {
  const { content, state_key: stateKey } = pdu as {
    readonly content?: { readonly body?: string; readonly membership?: string };
    readonly state_key?: string;
  };
  return content?.body ?? `${content?.membership} ${stateKey}`;
}

export async function openSenderWorld(): Promise<SenderWorld> {
  const servers = createScriptedServers(textOf);
  const world = await openSyncWorld({}, servers.client);
  const database = new DatabaseSync(world.database.path);
  const { clock, host } = world;
  const rest = async (): Promise<void> => {
    await host.idle();
    await clock.settle();
    await host.idle();
    await clock.settle();
  };
  async function makeJoin(roomId: string, userId: string): Promise<(isRelayed: boolean) => Promise<void>> {
    const versions = ROOM_VERSIONS.map(({ id }) => id);
    const template = await host.ref('rooms').ask('rooms.make-join', { roomId, userId, versions });
    if (isRefusal(template)) throw new Error(template.error);
    const version = getRoomVersion(template.roomVersion);
    const proto = template.event as unknown as ProtoPdu;
    const pdu = { ...proto, hashes: { sha256: contentHash(version, proto) ?? '' }, signatures: {} } as Pdu;
    const event = { eventId: eventIdOf(version, pdu) ?? '', pdu: JSON.stringify(pdu) };
    const receivedFrom = domainOf(userId) ?? '';
    return async (isRelayed) => {
      const received = { roomId, event, receivedFrom, isRelayed, stateBefore: null, isFinal: true };
      const outcome = await host.ref('rooms').ask('rooms.receive-event', received);
      if (isRefusal(outcome) || outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
      await rest();
    };
  }

  return {
    ...world,
    servers,
    async join(roomId, userId, isRelayed = false) {
      const joined = await makeJoin(roomId, userId);
      await joined(isRelayed);
    },
    makeJoin,
    rest,
    async ticks(count) {
      for (let tick = 0; tick < count; tick += 1) {
        // Each tick waits for what the one before set off.
        await clock.advance(TICK_MS);
        await rest();
      }
    },
    async pass(lengthMs) {
      await clock.advance(lengthMs);
      await rest();
    },
    async kill(actor) {
      const restarted = host.restart(actor);
      await clock.advance(RESTART_MS);
      await restarted;
      await rest();
    },
    async state(destination) {
      const page = { after: null, limit: 100 };
      const listed = await host.ref('federation-sender').ask('federation-sender.read-destinations', page);
      return listed.find((one) => one.destination === destination);
    },
    rows: (sql) => database.prepare(sql).all(),
    exec: (sql) => database.exec(sql),
    async stop() {
      database.close();
      await world.stop();
    },
  };
}
