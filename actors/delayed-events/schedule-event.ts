import { findDelayIdOfTransaction, readStandingOfUser } from '../../db/delayed-events/reader.ts';
import { scheduleEvent as scheduleSteps } from '../../db/delayed-events/writer.ts';
import { refuse } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { DelayedEventsProtocol } from './protocol.ts';

type Schedule = InputOf<DelayedEventsProtocol, 'delayed-events.schedule'>;
type Scheduled = OutputOf<DelayedEventsProtocol, 'delayed-events.schedule'>;

/** Characters of `[A-Za-z0-9]` in a delay id: whoever knows it may send the event, so that nobody is to guess it. */
export const DELAY_ID_LENGTH = 43;
/** The largest content, in bytes of JSON: no event is larger. Client-Server API v1.19, "Size limits". */
export const CONTENT_BYTES_MAX = 65_536;
const MS_PER_SECOND = 1_000;

/** A user's next event makes room when it is sent. */
function tooMany(nextDueTs: number | null, now: number) {
  const seconds = Math.max(1, Math.ceil(((nextDueTs ?? now) - now) / MS_PER_SECOND));
  return refuse('M_LIMIT_EXCEEDED', 'You have scheduled as many delayed events as you may.', {
    extra: { retry_after_ms: seconds * MS_PER_SECOND },
  });
}

/**
 * Schedules an event; one user's are scheduled one after the other. MSC4140, "Scheduling a delayed event".
 *
 * @param expect hears when it is to be sent
 */
export async function scheduleEvent(
  context: TroupeContext,
  { userId, deviceId, roomId, event, delayMs, transaction }: Schedule,
  expect: (dueTs: number) => void,
): Promise<Scheduled> {
  const { clock, env, random } = context;
  const content = JSON.stringify(event.content);
  if (Buffer.byteLength(content) > CONTENT_BYTES_MAX)
    return refuse('M_TOO_LARGE', `the content of an event has at most ${CONTENT_BYTES_MAX} bytes`);
  if (transaction !== null) {
    const known = await findDelayIdOfTransaction(env.db, { userId, deviceId, ...transaction });
    if (known !== undefined) return { kind: 'scheduled', delayId: known };
  }
  const { maxScheduled } = env.config.delayedEvents;
  if (maxScheduled === 0) return refuse('M_FORBIDDEN', 'This server sends no delayed events.');
  const standing = await readStandingOfUser(env.db, userId);
  const sinceTs = clock.now();
  if (standing.scheduled >= maxScheduled) return tooMany(standing.nextDueTs, sinceTs);
  const delayId = random.text(DELAY_ID_LENGTH);
  const { type, stateKey = null, stickyDurationMs: stickyMs = null } = event;
  const row = { delayId, userId, deviceId, roomId, type, stateKey, content, stickyMs, delayMs, sinceTs };
  const outcome = await commit(context, scheduleSteps(row, transaction));
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, env.config);
  if (outcome.kind === 'refused') throw new Error(`scheduling has no guard, yet ${outcome.refusal}`);
  expect(sinceTs + delayMs);
  return { kind: 'scheduled', delayId };
}
