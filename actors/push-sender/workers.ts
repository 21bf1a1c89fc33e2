import { type PusherKey, readPushers } from '../../db/push/pusher-reader.ts';
import { AskFailed } from '../kit/ref.ts';
import { type DeliveryDesk, deliverAll } from './delivery.ts';

/** The pushers that are at work: each on its own. */
export interface PusherWorkers {
  /** Lets a user's pushers look whether there is something to tell. */
  wake(userId: string): Promise<void>;
}

/** A pusher at work. */
interface Work {
  /** Something has come since it looked last. */
  isAsked: boolean;
}

/** Makes the workers of one life of the actor. */
export function createPusherWorkers(desk: DeliveryDesk): PusherWorkers {
  const { context, services } = desk;
  const working = new Map<string, Work>();
  const figure = context.metrics.gauge('push-sender.working');

  async function work(key: PusherKey, state: Work): Promise<void> {
    while (state.isAsked) {
      state.isAsked = false;
      await deliverAll(desk, key);
    }
  }

  async function begin(key: PusherKey, name: string): Promise<void> {
    const state = { isAsked: true };
    working.set(name, state);
    figure.set(working.size);
    try {
      await work(key, state);
    } catch (error) {
      // What does not answer now is asked again by the next event, or by the sweep.
      if (!context.ended.aborted && !(error instanceof AskFailed)) context.crash(error);
    } finally {
      working.delete(name);
      figure.set(working.size);
    }
  }

  return {
    async wake(userId) {
      for (const { appId, pushkey } of await readPushers(services.db, userId)) {
        const key = { userId, appId, pushkey };
        const name = JSON.stringify(key);
        const state = working.get(name);
        if (state === undefined) void begin(key, name);
        else state.isAsked = true;
      }
    },
  };
}
