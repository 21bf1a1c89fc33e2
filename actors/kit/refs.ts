import type { Clock } from '../../src/kit/clock.ts';
import type { AskTable } from './ask-table.ts';
import type { ActorPlace } from './directory.ts';
import type { MailboxCells } from './mailbox-cells.ts';
import { reservePlace } from './mailbox-cells.ts';
import type { Arrive, Peer } from './peers.ts';
import type { Protocol } from './protocol.ts';
import type { ActorRef, AskOptions, TellOutcome } from './ref.ts';
import { ASK_DEADLINE_MS_DEFAULT, AskFailed } from './ref.ts';

/** What refs need of the thread on which they are used. */
export interface RefHost {
  readonly clock: Clock;
  /** All actors by name. */
  readonly places: ReadonlyMap<string, ActorPlace>;
  /** Those that the tree leaves out. */
  readonly absent: ReadonlySet<string>;
  /** Number of this thread. */
  readonly thread: number;
  /** The mailboxes of this thread. */
  readonly cells: MailboxCells;
  readonly asks: AskTable;
  peer(thread: number): Peer | null;
  readonly arrive: Arrive;
  /** Counts a message that found its mailbox full. */
  refused(actor: string): void;
}

/** A ref before its protocol is known. */
interface AnyRef {
  readonly name: string;
  tell(message: string, input: unknown): TellOutcome;
  ask(message: string, input: unknown, options?: AskOptions): Promise<unknown>;
}

/** Gives out refs: the same one for the same name. */
export interface Refs {
  /** @throws Error when the tree has no such actor */
  ref<P extends Protocol>(name: string): ActorRef<P>;
}

/** Sends to an actor of this thread. Nothing is cloned. */
function createLocalRef(host: RefHost, place: ActorPlace, canSend: () => boolean): AnyRef {
  const { name, slot } = place;
  const reserve = (): TellOutcome => {
    if (!canSend()) return 'stopped';
    const outcome = reservePlace(host.cells, slot, host.clock, null);
    if (outcome === 'mailbox-full') host.refused(name);
    return outcome;
  };
  return {
    name,
    tell(message, input) {
      const outcome = reserve();
      if (outcome === 'sent') host.arrive(slot, message, input, null, 0, host.clock.monotonic());
      return outcome;
    },
    ask(message, input, options) {
      const outcome = reserve();
      if (outcome !== 'sent') return Promise.reject(new AskFailed(outcome, name, message));
      return new Promise((resolve, reject) => {
        const deadlineMs = options?.deadlineMs ?? ASK_DEADLINE_MS_DEFAULT;
        const id = host.asks.open({ actor: name, message, thread: host.thread, deadlineMs, resolve, reject });
        host.arrive(slot, message, input, host.asks, id, host.clock.monotonic());
      });
    },
  };
}

/** Sends to an actor of another thread, in whichever life that thread is. */
function createRemoteRef(host: RefHost, place: ActorPlace, canSend: () => boolean): AnyRef {
  const { name, slot, thread } = place;
  /** The other thread, when a place in the mailbox was taken. */
  const reserve = (): Peer | Exclude<TellOutcome, 'sent'> => {
    const peer = host.peer(thread);
    if (peer === null || !peer.isOpen || !canSend()) return 'stopped';
    const outcome = reservePlace(peer.cells, slot, host.clock, peer.outgoing);
    if (outcome === 'sent') return peer;
    if (outcome === 'mailbox-full') host.refused(name);
    return outcome;
  };
  return {
    name,
    tell(message, input) {
      const peer = reserve();
      if (typeof peer === 'string') return peer;
      peer.tell(slot, message, input);
      return 'sent';
    },
    ask(message, input, options) {
      const peer = reserve();
      if (typeof peer === 'string') return Promise.reject(new AskFailed(peer, name, message));
      return new Promise((resolve, reject) => {
        const deadlineMs = options?.deadlineMs ?? ASK_DEADLINE_MS_DEFAULT;
        const id = host.asks.open({ actor: name, message, thread, deadlineMs, resolve, reject });
        peer.ask(slot, message, input, id);
      });
    },
  };
}

/** Stands for an actor that does not run this time: it is as if its thread were dead. */
function createAbsentRef(name: string): AnyRef {
  return {
    name,
    tell: () => 'stopped',
    ask: (message) => Promise.reject(new AskFailed('stopped', name, message)),
  };
}

/**
 * @param canSend false when whoever holds the refs has ended: then they answer `stopped`
 */
export function createRefs(host: RefHost, canSend: () => boolean): Refs {
  const refs = new Map<string, AnyRef>();

  const make = (name: string): AnyRef => {
    const place = host.places.get(name);
    if (host.absent.has(name)) return createAbsentRef(name);
    if (place === undefined) throw new Error(`no actor is named ${name}`);
    return place.thread === host.thread
      ? createLocalRef(host, place, canSend)
      : createRemoteRef(host, place, canSend);
  };
  return {
    ref<P extends Protocol>(name: string) {
      let ref = refs.get(name);
      if (ref === undefined) refs.set(name, (ref = make(name)));
      // The protocol exists for the compiler only; whoever gives out the name gives out the type.
      return ref as unknown as ActorRef<P>;
    },
  };
}
