import type { Clock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import type { Metrics } from '../../src/kit/metrics.ts';
import type { Random } from '../../src/kit/random.ts';
import type { InputOf, OutputOf, Protocol } from './protocol.ts';
import type { ActorLifeEvent, ActorRef } from './ref.ts';

/** How many messages may wait for an actor, and what happens to the next one. */
export interface MailboxOptions {
  /** Messages that may wait, those still on their way between threads included. */
  readonly limit: number;
  /** `refuse`: a tell returns and an ask fails with `mailbox-full`. `drop-oldest`: the oldest waiting tell makes room. */
  readonly whenFull: 'refuse' | 'drop-oldest';
}

/**
 * In which order an actor works.
 * `serial`: one message at a time, awaits included. `interleaved`: handlers start in order of arrival and may overlap at
 * their awaits. `by-key`: serial among messages of one key, interleaved between keys, with at most `turnBudget` messages of one
 * key before the other keys get their turn; a null key runs interleaved.
 */
export type Order<P extends Protocol> =
  | { readonly kind: 'serial' }
  | { readonly kind: 'interleaved' }
  | {
      readonly kind: 'by-key';
      readonly key: <Name extends keyof P & string>(message: Name, input: InputOf<P, Name>) => string | null;
      readonly turnBudget: number;
    };

/**
 * An answer that comes after the handler's turn has ended: the actor goes on with its next message (of that key) while
 * `answer` settles, for instance while a staged write waits for its commit. A rejection crashes the actor like a throw.
 */
export class Later<Out> {
  readonly answer: Promise<Out>;

  constructor(answer: Promise<Out>) {
    this.answer = answer;
  }
}

/** Ends the turn of the handler now and answers when `answer` settles. */
export function later<Out>(answer: Promise<Out>): Later<Out> {
  return new Later(answer);
}

/** One handler per message. A throw is a defect: the actor crashes and its supervisor starts it again. */
export type Handlers<P extends Protocol> = {
  readonly [Name in keyof P & string]: (
    input: InputOf<P, Name>,
  ) => OutputOf<P, Name> | Later<OutputOf<P, Name>> | Promise<OutputOf<P, Name> | Later<OutputOf<P, Name>>>;
};

/** One life of an actor, from `start` to stop or crash. */
export interface ActorInstance<P extends Protocol> {
  readonly handlers: Handlers<P>;
  /** Called on a graceful stop, after the mailbox has drained: finish what is open. */
  stop?(): Promise<void> | void;
}

/**
 * What the kit gives an actor when it starts.
 *
 * `Map` names every actor of the program with its protocol; `Env` is what its thread offers (configuration, database, …).
 */
export interface ActorContext<Map, Env> {
  readonly name: string;
  /** Counts the starts of this actor from 1, over all threads. */
  readonly incarnation: number;
  /** For the log and the inspector only: no behaviour may depend on it. */
  readonly thread: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly env: Env;
  /** The address of another actor; cheap, may be called for actors that have not started yet. */
  ref<Name extends keyof Map & string>(name: Name): ActorRef<Extract<Map[Name], Protocol>>;
  /**
   * Calls `listener` whenever `actor` starts or stops, and at once with `started` when it is running now.
   *
   * @returns a function that ends the watch; it also ends with this incarnation
   */
  watch(actor: string, listener: (event: ActorLifeEvent) => void): () => void;
  /** Reports a defect found outside a handler: this incarnation ends and the supervisor decides. */
  crash(error: unknown): void;
  /** Aborted when this incarnation ends, for whatever reason. */
  readonly ended: AbortSignal;
}

/** The definition of an actor: everything about it but where it lives. */
export interface ActorDefinition<P extends Protocol, Map, Env> {
  readonly name: string;
  readonly mailbox: MailboxOptions;
  readonly order: Order<P>;
  /** Starts a life: loads what it needs and gives its handlers. Messages wait until it has resolved. */
  start(context: ActorContext<Map, Env>): ActorInstance<P> | Promise<ActorInstance<P>>;
}

/** A definition whose protocol is not known here: what registries, threads and supervisors hold. */
// The protocol is erased here on purpose: any concrete definition must fit.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyActorDefinition<Map, Env> = ActorDefinition<any, Map, Env>;
