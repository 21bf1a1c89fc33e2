import { removeList } from '../../db/remote-devices/writer.ts';
import { defineActor } from '../environment.ts';
import { later } from '../kit/actor.ts';
import { followStream } from '../stream-follower.ts';
import { createDepartureWatch } from './departures.ts';
import { findDevices } from './find-devices.ts';
import { createLanes } from './lanes.ts';
import { createListFetcher } from './list-fetcher.ts';
import { createListStore } from './list-store.ts';
import type { RemoteDevicesProtocol } from './protocol.ts';
import { receiveSigningKeys, receiveUpdate, type Reception } from './receive.ts';

const MAILBOX_LIMIT = 10_000;

/** Owner of what is known of the devices of other servers' users. */
export const remoteDevicesActor = defineActor<RemoteDevicesProtocol>({
  name: 'remote-devices',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  async start(context) {
    const lanes = createLanes();
    const store = createListStore(context);
    const fetcher = createListFetcher(context, store, lanes);
    const departures = await createDepartureWatch(context, store, lanes);
    const events = followStream(context, { owner: 'rooms', stream: 'events', positionsOnly: true });
    const reception: Reception = { context, store, fetcher, lanes };
    store.announceLeftovers().catch((error: unknown) => {
      if (!context.ended.aborted) context.crash(error);
    });
    const hear = ({ position }: { readonly position: number }): void => {
      events.hear();
      departures.advance(position);
    };
    return {
      handlers: {
        'remote-devices.receive-update': (edu) => receiveUpdate(reception, edu),
        'remote-devices.receive-signing-keys': (edu) => receiveSigningKeys(reception, edu),
        'remote-devices.find-devices': (wish) => later(findDevices(context, fetcher, wish)),
        'remote-devices.forget-user': ({ userId }) =>
          lanes.run(userId, async () => void (await store.write(removeList(userId)))),
        'stream.rows': hear,
        'stream.position': hear,
      },
      stop: () => events.stop(),
    };
  },
});
