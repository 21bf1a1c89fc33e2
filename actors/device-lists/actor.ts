import { deleteSentOutbound, recordChanges } from '../../db/device-lists/writer.ts';
import { step } from '../../db/kit/write-set.ts';
import { readHostsOfUser, readJoinedRoomIds } from '../../db/rooms/hosts-reader.ts';
import { readRoomsOfRemoteUser } from '../../db/rooms/sharing-reader.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { deviceListsStream } from '../../src/streams/device-lists-stream.ts';
import { commit } from '../commit.ts';
import { defineActor } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { type Later, later } from '../kit/actor.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { DeviceListsProtocol } from './protocol.ts';

type RecordChanges = InputOf<DeviceListsProtocol, 'device-lists.record-changes'>;
type DeleteSent = InputOf<DeviceListsProtocol, 'device-lists.delete-sent'>;
type Deleted = OutputOf<DeviceListsProtocol, 'device-lists.delete-sent'>;
type Recorded = OutputOf<DeviceListsProtocol, 'device-lists.record-changes'>;

const MAILBOX_LIMIT = 10_000;
/** Positions that one write takes, unless one device alone needs more: it takes one for itself and one for each server. */
export const POSITIONS_PER_WRITE_MAX = 10_000;

function chunksOf<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** Owner of the device-lists stream: who must ask again for whose devices. */
export const deviceListsActor = defineActor<DeviceListsProtocol>({
  name: 'device-lists',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'serial' },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, deviceListsStream);
    const { config, db } = context.env;

    async function recordTogether(
      userId: string,
      deviceIds: readonly string[],
      hosts: readonly string[],
      roomIds: readonly string[],
    ): Promise<Recorded> {
      const { steps, positions } = recordChanges(userId, deviceIds, hosts);
      const outcome = await owner.write({
        count: positions,
        steps,
        rows: (allocated) =>
          allocated.map((_, index) => {
            const deviceId = deviceIds[index];
            return deviceId === undefined ? [] : [{ userId, deviceId, roomIds }];
          }),
      });
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused') throw new Error(`a change has no guard, yet ${outcome.refusal}`);
      if (hosts.length > 0) {
        const stored = { destinations: hosts, what: 'device-lists' } as const;
        context.ref('federation-sender').tell('federation-sender.note-stored', stored);
      }
      return { kind: 'recorded', position: owner.currentToken() };
    }

    async function record({ userId, deviceIds }: RecordChanges): Promise<Recorded | Later<Recorded>> {
      const changed = [...new Set(deviceIds)];
      if (changed.length === 0) return { kind: 'recorded', position: owner.currentToken() };
      const isOurs = isOfServer(userId, config.server.name);
      // Others are told of their users by their own servers.
      const hosts = isOurs ? await readHostsOfUser(db, userId) : [];
      const others = hosts.filter((host) => host !== config.server.name);
      const roomIds = await (isOurs ? readJoinedRoomIds : readRoomsOfRemoteUser)(db, userId);
      const chunks = chunksOf(
        changed,
        Math.max(1, Math.floor(POSITIONS_PER_WRITE_MAX / (1 + others.length))),
      );
      const writes = chunks.map((chunk) => recordTogether(userId, chunk, others, roomIds));
      // The next change is handled while this one waits for its commit: writes are committed in the order of the calls.
      return later(
        Promise.all(writes).then(
          (answers) => answers.find(isRefusal) ?? { kind: 'recorded', position: owner.currentToken() },
        ),
      );
    }

    async function deleteSent({ destination, upTo }: DeleteSent): Promise<Deleted> {
      const outcome = await commit(context, [step(deleteSentOutbound, { destination, upTo })]);
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused') throw new Error(`a deletion has no guard, yet ${outcome.refusal}`);
      return { kind: 'deleted' };
    }

    return {
      handlers: {
        ...handlers,
        'device-lists.record-changes': record,
        'device-lists.delete-sent': (sent) => later(deleteSent(sent)),
      },
    };
  },
});
