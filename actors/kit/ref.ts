import type { AskName, InputOf, OutputOf, Protocol, TellName } from './protocol.ts';

/** What became of a `tell`: it stands in the mailbox, or why it does not. Known at once, across threads too. */
export type TellOutcome = 'sent' | 'mailbox-full' | 'stopped';

/** The only three ways in which an ask fails. A crash of the actor while it held the message counts as `stopped`. */
export type AskFailureReason = 'timed-out' | 'mailbox-full' | 'stopped';

/** An ask that got no answer. The effect may or may not have happened, except for `mailbox-full`: there it did not. */
export class AskFailed extends Error {
  readonly reason: AskFailureReason;
  readonly actor: string;
  readonly messageName: string;

  constructor(reason: AskFailureReason, actor: string, messageName: string, detail?: string) {
    super(`${actor} did not answer ${messageName}: ${reason}${detail === undefined ? '' : ` (${detail})`}`);
    this.name = 'AskFailed';
    this.reason = reason;
    this.actor = actor;
    this.messageName = messageName;
  }
}

/** How long an ask waits when the asker does not say. */
export const ASK_DEADLINE_MS_DEFAULT = 30_000;

export interface AskOptions {
  /** How long to wait for the answer, in milliseconds. */
  readonly deadlineMs?: number;
}

/**
 * The address of an actor. It stays valid across restarts of the actor and of its thread, and never tells where the actor lives.
 * Messages from one thread to one actor arrive in the order in which they were sent.
 */
export interface ActorRef<P extends Protocol> {
  readonly name: string;
  /** Sends without waiting. Never throws. */
  tell<Name extends TellName<P>>(message: Name, input: InputOf<P, Name>): TellOutcome;
  /**
   * Sends and waits for the answer.
   *
   * @throws AskFailed (rejection) when it timed out, the mailbox is full, or the actor stopped or crashed
   */
  ask<Name extends AskName<P>>(
    message: Name,
    input: InputOf<P, Name>,
    options?: AskOptions,
  ): Promise<OutputOf<P, Name>>;
}

/** What a watcher learns about an actor. `incarnation` counts its starts from 1, over all threads. */
export interface ActorLifeEvent {
  readonly actor: string;
  readonly event: 'started' | 'stopped';
  readonly incarnation: number;
}
