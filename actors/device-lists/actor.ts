import { recordChanges } from '../../db/device-lists/writer.ts';
import { readHostsOfUser, readJoinedRoomIds } from '../../db/rooms/hosts-reader.ts';
import { deviceListsStream } from '../../src/streams/device-lists-stream.ts';
import { defineActor } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { DeviceListsProtocol } from './protocol.ts';

type RecordChanges = InputOf<DeviceListsProtocol, 'device-lists.record-changes'>;
type Recorded = OutputOf<DeviceListsProtocol, 'device-lists.record-changes'>;

const MAILBOX_LIMIT = 10_000;

/** Owner of the device-lists stream: who must ask again for whose devices. */
export const deviceListsActor = defineActor<DeviceListsProtocol>({
  name: 'device-lists',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'serial' },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, deviceListsStream);
    const { config, db } = context.env;

    async function record({ userId, deviceIds }: RecordChanges): Promise<Recorded> {
      if (deviceIds.length === 0) return { kind: 'recorded', position: owner.currentToken() };
      const hosts = await readHostsOfUser(db, userId);
      const roomIds = await readJoinedRoomIds(db, userId);
      const others = hosts.filter((host) => host !== config.server.name);
      const { steps, positions } = recordChanges(userId, deviceIds, others);
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
      return { kind: 'recorded', position: owner.currentToken() };
    }

    return { handlers: { ...handlers, 'device-lists.record-changes': record } };
  },
});
