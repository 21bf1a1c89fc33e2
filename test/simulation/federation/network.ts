import type { Milliseconds } from '../../../src/kit/clock.ts';
import type { Random } from '../../../src/kit/random.ts';
import type { Lane, Loop } from '../loop.ts';

/** A request as it goes over the wire. */
export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** With its query string. */
  readonly uri: string;
  /** Null: without X-Matrix. */
  readonly authorization: string | null;
  readonly body: string | null;
}

export interface WireAnswer {
  readonly status: number;
  readonly body: string;
}

/** Takes requests; rejected when it dies before it answers. */
export type Door = (request: WireRequest) => Promise<WireAnswer>;

/** What the network does to what it carries, in percent. */
export interface Weather {
  lostPercent: number;
  lostAnswerPercent: number;
  /** What arrives arrives a second time, perhaps much later. */
  doublePercent: number;
  delayMaxMs: Milliseconds;
}

/** Ways between servers, on which a seed decides what arrives, when and how often. */
export interface Network {
  readonly weather: Weather;
  /** @param door gives the door of a server; undefined while nobody listens there */
  connect(server: string, door: () => Door | undefined): void;
  /**
   * Carries a request there and its answer back.
   *
   * @returns a promise that is rejected when the connection fails, and stays open when something is lost: whoever asks has a deadline
   */
  send(from: string, to: string, request: WireRequest): Promise<WireAnswer>;
  /** Nothing goes from one server to another one for a while; what is on its way arrives. */
  cut(from: string, to: string, lengthMs: Milliseconds): void;
  /** All ways are open, and lose nothing from now on. */
  heal(): void;
  /** What was delivered, doubles included. */
  readonly delivered: number;
  readonly lost: number;
}

/** Ways that requests between two servers may take: what is on two of them arrives in any order. */
const LANES = 3;
/** A double may come so late that its sender has sent others since. */
const DOUBLE_DELAY_MAX_MS = 20_000;
/** A connection that cannot be opened fails after so long at most; or nobody says anything. */
const REFUSAL_DELAY_MAX_MS = 50;

/** What a broken connection fails with. */
export class ConnectionFailed extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'ConnectionFailed';
  }
}

/** Makes a network without faults. */
export function createNetwork(loop: Loop, random: Random): Network {
  const doors = new Map<string, () => Door | undefined>();
  const lanes = new Map<string, readonly Lane[]>();
  const cutUntil = new Map<string, Milliseconds>();
  const weather: Weather = { lostPercent: 0, lostAnswerPercent: 0, doublePercent: 0, delayMaxMs: 20 };
  let [delivered, lost] = [0, 0];

  const chance = (percent: number): boolean => percent > 0 && random.integer(100) < percent;
  const way = (from: string, to: string): string => `${from}>${to}`;
  const isCut = (from: string, to: string): boolean => (cutUntil.get(way(from, to)) ?? 0) > loop.clock.now();
  const laneOf = (from: string, to: string): Lane => {
    const name = way(from, to);
    const known =
      lanes.get(name) ?? Array.from({ length: LANES }, (_, index) => loop.lane(`net ${name} ${index}`));
    lanes.set(name, known);
    return known[random.integer(LANES)] as Lane;
  };
  const later = (from: string, to: string, delayMs: Milliseconds, action: () => void): void => {
    const lane = laneOf(from, to);
    loop.clock.after(delayMs, () => lane.push(action));
  };

  return {
    weather,
    connect: (server, door) => void doors.set(server, door),
    send(from, to, request) {
      return new Promise((resolve, reject) => {
        const fail = (why: string): void =>
          void loop.clock.after(random.integer(REFUSAL_DELAY_MAX_MS), () =>
            reject(new ConnectionFailed(why)),
          );
        const answer = (given: WireAnswer): void => {
          if (isCut(to, from) || chance(weather.lostAnswerPercent)) lost += 1;
          else later(to, from, random.integer(weather.delayMaxMs), () => resolve(given));
        };
        const deliver = (): void => {
          const door = doors.get(to)?.();
          if (door === undefined) return fail('nobody listens');
          delivered += 1;
          loop.trace(`${from}>${to} ${request.method} ${request.uri}`);
          door(request).then(answer, () => fail('the connection was reset'));
        };
        if (isCut(from, to)) {
          lost += 1;
          if (random.integer(2) === 0) fail('no route');
          return;
        }
        if (chance(weather.lostPercent)) {
          lost += 1;
          return;
        }
        later(from, to, random.integer(weather.delayMaxMs), deliver);
        if (chance(weather.doublePercent)) later(from, to, random.integer(DOUBLE_DELAY_MAX_MS), deliver);
      });
    },
    cut: (from, to, lengthMs) => void cutUntil.set(way(from, to), loop.clock.now() + lengthMs),
    heal() {
      cutUntil.clear();
      Object.assign(weather, { lostPercent: 0, lostAnswerPercent: 0, doublePercent: 0, delayMaxMs: 20 });
    },
    get delivered() {
      return delivered;
    },
    get lost() {
      return lost;
    },
  };
}
