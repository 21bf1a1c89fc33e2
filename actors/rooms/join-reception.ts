import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { type Handlers, Later } from '../kit/actor.ts';
import type { JoinReception } from './accept-join.ts';
import type { RoomsProtocol } from './protocol.ts';

type Receivers = Pick<Handlers<RoomsProtocol>, 'rooms.receive-event' | 'rooms.receive-outliers'>;

async function settled<Out>(turn: Out | Later<Out> | Promise<Out | Later<Out>>): Promise<Out> {
  const answer = await turn;
  return answer instanceof Later ? answer.answer : answer;
}

/**
 * What invites and joins of other servers are taken in with: the actor's own handlers, within the same turn of the room, for what is an event
 * like others.
 */
export function createJoinReception(
  receivers: Receivers,
  rest: Pick<JoinReception, 'maker' | 'position' | 'unavailable'> & {
    write(steps: readonly WriteStep[]): Promise<WriteOutcome>;
  },
): JoinReception {
  return {
    ...rest,
    receive: (input) => settled(receivers['rooms.receive-event'](input)),
    receiveOutliers: (input) => settled(receivers['rooms.receive-outliers'](input)),
  };
}
