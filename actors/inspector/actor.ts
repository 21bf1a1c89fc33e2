import { readDelayedFigures } from '../../db/delayed-events/reader.ts';
import { readReports } from '../../db/reports/reader.ts';
import { countInconsistentMemberships } from '../../db/rooms/membership-check-reader.ts';
import { findRoomFigures } from '../../db/rooms/room-figures-reader.ts';
import { cacheReports } from '../../src/inspector/cache-report.ts';
import { delayedEventsReport } from '../../src/inspector/delayed-events-report.ts';
import { limitReports } from '../../src/inspector/limit-report.ts';
import type { LogLevelReport, LogLevelWish } from '../../src/inspector/settings-report.ts';
import { streamReport, type ThreadFigures } from '../../src/inspector/stream-report.ts';
import type { Json, JsonObject } from '../../src/kit/json.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { streams } from '../../src/streams/registry.ts';
import { defineActor, type Environment } from '../environment.ts';
import type { ActorDefinition } from '../kit/actor.ts';
import type { Supervisor } from '../kit/supervisor.ts';
import type { ActorMap } from '../protocols.ts';
import type { SettingsDesk } from '../settings-desk.ts';
import { createMonitor } from './monitor.ts';
import { readDestinations, retryDestination } from './destinations.ts';
import { deleteRoom, purgeRoom } from './purges.ts';
import { startInspectorListener } from './listener.ts';
import type { InspectorProtocol, InspectorSubject } from './protocol.ts';
import { readPartialRooms, retryPartialRoom } from './partial-rooms.ts';
import { createStateQuestions } from './state-questions.ts';

/** Those who look are few: a short mailbox is enough. */
const MAILBOX_LIMIT = 1_000;

/** What the inspector looks at. */
export interface Inspected extends Pick<Supervisor<ActorMap>, 'status' | 'figures' | 'restart'> {
  readonly settings: SettingsDesk;
}

const NO_CONFIGURATION = refuse(
  'M_NOT_FOUND',
  'this server was not started from a configuration that could be read again',
);

/** What nobody is called is most likely misspelt: a level for it would never show. */
function setLogLevel(inspected: Inspected, wish: LogLevelWish): LogLevelReport | Refusal {
  const { actors, threads } = inspected.status();
  const { actor, thread } = wish;
  if (actor !== null && !actors.some(({ name }) => name === actor))
    return refuse('M_NOT_FOUND', `there is no actor ${actor}`);
  if (thread !== null && !threads.some(({ name }) => name === thread))
    return refuse('M_NOT_FOUND', `there is no thread ${thread}`);
  return inspected.settings.setLogLevel(wish);
}

function readFigures(inspected: Inspected): ThreadFigures[] {
  return inspected.status().threads.map(({ name }) => ({ thread: name, figures: inspected.figures(name) }));
}

const LISTS: Readonly<Record<InspectorSubject, (inspected: Inspected) => readonly object[]>> = {
  actors: (inspected) => inspected.status().actors,
  threads: (inspected) => inspected.status().threads,
  streams(inspected) {
    const figures = readFigures(inspected);
    return streams.map((stream) => streamReport(stream, figures));
  },
  caches: (inspected) => cacheReports(readFigures(inspected)),
  limits: (inspected) => limitReports(readFigures(inspected)),
};

/**
 * The inspector. It lives on the supervisor's thread and reads shared memory, so that it answers while every other thread is blocked; it
 * has a listener of its own for the same reason.
 *
 * @param inspected the supervisor
 */
export function defineInspectorActor(
  inspected: Inspected,
): ActorDefinition<InspectorProtocol, ActorMap, Environment> {
  return defineActor<InspectorProtocol>({
    name: 'inspector',
    mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    async start(context) {
      const states = createStateQuestions(context);
      const monitor = createMonitor(context, { inspected, readFigures: () => readFigures(inspected) });
      const listener = await startInspectorListener(context);
      context.ended.addEventListener('abort', () => listener.close(), { once: true });
      return {
        handlers: {
          // Plain data throughout: what stands in a report is JSON.
          'inspector.read-list': ({ subject }) => LISTS[subject](inspected) as unknown as readonly Json[],
          'inspector.read-reports': ({ before, limit }) => readReports(context.env.db, before, limit),
          async 'inspector.read-delayed-events'() {
            return delayedEventsReport(await readDelayedFigures(context.env.db), readFigures(inspected));
          },
          async 'inspector.read-room'({ roomId }) {
            const { db, config } = context.env;
            const figures = await findRoomFigures(db, roomId);
            if (figures === undefined)
              return refuse('M_NOT_FOUND', `this server does not know the room ${roomId}`);
            const differing = await countInconsistentMemberships(db, roomId, config.server.name);
            const check = { membershipsConsistent: differing === 0, inconsistentMemberships: differing };
            return { ...figures, ...check } satisfies JsonObject;
          },
          'inspector.explain-state': (question) => states.explain(question),
          'inspector.diff-states': (question) => states.diff(question),
          'inspector.purge-room': (request) => purgeRoom(context, request),
          'inspector.delete-room': (request) => deleteRoom(context, request),
          async 'inspector.restart-actor'({ name }) {
            const isKnown = inspected.status().actors.some((actor) => actor.name === name);
            if (!isKnown) return refuse('M_NOT_FOUND', `there is no actor ${name}`);
            if (name === 'inspector') return refuse('M_INVALID_PARAM', 'the inspector cannot restart itself');
            await inspected.restart(name);
            return { restarted: name };
          },
          'inspector.read-destinations': (page) => readDestinations(context, page),
          'inspector.retry-destination': (request) => retryDestination(context, request),
          'inspector.read-partial-rooms': () => readPartialRooms(context),
          'inspector.retry-partial-room': (request) => retryPartialRoom(context, request),
          'inspector.add-signing-key': () => context.ref('server-keys').ask('server-keys.add-own-key', null),
          'inspector.read-readiness': () => monitor.readReadiness(),
          'inspector.read-metrics': ({ format }) => monitor.expose(format),
          'inspector.read-config': () => inspected.settings.describeConfig() ?? NO_CONFIGURATION,
          'inspector.reload-config': () => inspected.settings.reload() ?? NO_CONFIGURATION,
          'inspector.read-log-levels': () => inspected.settings.logLevels(),
          'inspector.set-log-level': (wish) => setLogLevel(inspected, wish),
          'inspector.read-address': () => listener.address,
        },
        stop: () => listener.close(),
      };
    },
  });
}
