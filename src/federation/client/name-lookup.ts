import { lookup, Resolver } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import type { Clock } from '../../kit/clock.ts';

/** One server of an SRV record. */
export interface ServiceTarget {
  readonly host: string;
  readonly port: number;
}

/** Names and what they stand for. Whatever goes wrong with a name means that it has nothing to offer: nothing throws. */
export interface NameLookup {
  /** The addresses of a host, IPv6 and IPv4 in turn; empty for none. */
  addresses(host: string): Promise<readonly string[]>;
  /** The targets of a service, those of lowest priority first, drawn by weight within one; empty for none. */
  service(name: string): Promise<readonly ServiceTarget[]>;
}

/** How long one question to one name server may take, in milliseconds, and how often it is asked. */
const QUESTION_TIMEOUT_MS = 2_000;
const QUESTION_TRIES = 2;
/** How long a question may take in all, waiting for its turn included, in milliseconds. */
export const QUESTION_DEADLINE_MS = 5_000;
/** Questions to name servers at one time. */
export const QUESTIONS_AT_ONCE_MAX = 50;
/** Questions to the machine at one time: each holds one of the four threads that file accesses need too. */
export const LOOKUPS_AT_ONCE_MAX = 2;
/** How many targets of one service are looked at. */
export const SERVICE_TARGETS_MAX = 10;

/** A record of a service. */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** In the order in which they are to be tried. RFC 2782. */
export function orderTargets(
  records: readonly ServiceRecord[],
  draw: () => number,
): readonly ServiceTarget[] {
  const ordered: ServiceTarget[] = [];
  const priorities = [...new Set(records.map(({ priority }) => priority))].toSorted((a, b) => a - b);
  for (const priority of priorities) {
    const left = records.filter((record) => record.priority === priority);
    while (left.length > 0) {
      const total = left.reduce((sum, { weight }) => sum + weight, 0);
      let rest = draw() * total;
      const drawn = left.findIndex(({ weight }) => (rest -= weight) <= 0);
      const [{ name, port }] = left.splice(Math.max(0, drawn), 1) as [ServiceRecord];
      // A target that is the root says that there is no such service.
      if (name !== '' && name !== '.') ordered.push({ host: name, port });
    }
  }
  return ordered.slice(0, SERVICE_TARGETS_MAX);
}

/** IPv6 and IPv4 in turn, so that a machine without one of them loses the time of one attempt. RFC 8305, section 4. */
export function takeTurns(addresses: readonly string[]): readonly string[] {
  const six = addresses.filter((address) => isIPv6(address));
  const four = addresses.filter((address) => !isIPv6(address));
  return Array.from({ length: Math.max(six.length, four.length) }, (_, index) =>
    [six[index], four[index]].filter((address) => address !== undefined),
  ).flat();
}

/**
 * Makes what asks at most so many questions at one time, and gives none to those that are not answered in time or cannot be.
 *
 * @param atOnceMax how many
 */
export function createQuestions(clock: Clock, atOnceMax: number) {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function turn(): Promise<void> {
    if (running >= atOnceMax) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
  }
  // Whose turn it is takes over the place.
  function end(): void {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  return <T>(question: () => Promise<readonly T[]>): Promise<readonly T[]> =>
    new Promise((resolve) => {
      let isLate = false;
      const timer = clock.after(QUESTION_DEADLINE_MS, () => {
        isLate = true;
        resolve([]);
      });
      void (async () => {
        await turn();
        try {
          // Nobody waits for the answer any more: its turn is for the next.
          if (!isLate) resolve(await question());
        } catch {
          // No such name, no answer, a broken server: for discovery it is all the same.
          resolve([]);
        } finally {
          clock.cancel(timer);
          end();
        }
      })();
    });
}

/**
 * Asks the name servers of the machine; where they know no address, the machine itself (`/etc/hosts` and the like).
 *
 * @param draw a random number from 0 up to 1
 */
export function systemNameLookup(draw: () => number, clock: Clock): NameLookup {
  const resolver = new Resolver({
    timeout: QUESTION_TIMEOUT_MS,
    maxTimeout: QUESTION_TIMEOUT_MS,
    tries: QUESTION_TRIES,
  });
  const ask = createQuestions(clock, QUESTIONS_AT_ONCE_MAX);
  const askMachine = createQuestions(clock, LOOKUPS_AT_ONCE_MAX);
  const byMachine = async (host: string): Promise<readonly string[]> =>
    (await lookup(host, { all: true })).map(({ address }) => address);
  return {
    async addresses(host) {
      if (isIP(host) !== 0) return [host];
      const found = await Promise.all([
        ask(() => resolver.resolve6(host)),
        ask(() => resolver.resolve4(host)),
      ]);
      const addresses = found.flat();
      return takeTurns(addresses.length > 0 ? addresses : await askMachine(() => byMachine(host)));
    },
    async service(name) {
      return orderTargets(await ask(() => resolver.resolveSrv(name)), draw);
    },
  };
}
