import type { Directory } from './directory.ts';
import type { LinkEnd } from './link.ts';
import type { ActorLifeEvent } from './ref.ts';

/** What a thread must know to come up; structured-cloneable. */
export interface ThreadBoot {
  /** Its number in `directory.threads`. */
  readonly thread: number;
  readonly directory: Directory;
  /** Shared memory of its mailboxes: {@link MailboxCells}. */
  readonly cells: SharedArrayBuffer;
  /** Shared memory of its figures. */
  readonly metrics: SharedArrayBuffer;
  /** The last life event of each actor that has had one. */
  readonly lives: readonly ActorLifeEvent[];
}

/** What the supervisor tells a thread. Commands arrive in order. */
export type ThreadCommand =
  /** Connects it to the current life of another thread; an earlier connection to that thread is dead. */
  | {
      readonly kind: 'link';
      readonly thread: number;
      readonly cells: SharedArrayBuffer;
      readonly end: LinkEnd;
      /** What this thread sends over this link, and what it is sent. */
      readonly outgoing: SharedArrayBuffer;
      readonly incoming: SharedArrayBuffer;
    }
  | { readonly kind: 'start-actor'; readonly actor: number; readonly incarnation: number }
  /** Ends the present incarnation as a crash would. */
  | { readonly kind: 'end-actor'; readonly actor: number; readonly reason: string }
  /** Works off the mailbox, stops, and takes no more than `deadlineMs` for it. */
  | { readonly kind: 'stop-actor'; readonly actor: number; readonly deadlineMs: number }
  | { readonly kind: 'life'; readonly life: ActorLifeEvent }
  /** What the program says to every thread; the kit only carries it. */
  | { readonly kind: 'notice'; readonly notice: unknown }
  /** All its actors have stopped: the thread is to end. */
  | { readonly kind: 'exit' };

/** What a thread tells the supervisor. Reports arrive in order. */
export type ThreadReport =
  /** It can take `start-actor`. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'started'; readonly actor: number; readonly incarnation: number }
  /** An incarnation has ended on its own or by `end-actor`. */
  | {
      readonly kind: 'crashed';
      readonly actor: number;
      readonly incarnation: number;
      readonly error: string;
    }
  | { readonly kind: 'stopped'; readonly actor: number };

/** A thread as the supervisor holds it. */
export interface ThreadProcess {
  post(command: ThreadCommand): void;
  /** Ends it now, whatever it does. */
  terminate(): void;
}

/** What the supervisor wants to hear of a thread. */
export interface ThreadEvents {
  report(report: ThreadReport): void;
  /** Called once, after its last report. `error` is what killed it, undefined when it ended as it was told to. */
  exited(error: string | undefined): void;
}

/**
 * How threads are made and connected: worker threads in the server, something with seeded delays and deaths in a simulation. The
 * supervisor does everything else. It must call back later than within the call (never within `spawn`, `post` or `terminate`).
 */
export interface ThreadPlatform {
  spawn(boot: ThreadBoot, events: ThreadEvents): ThreadProcess;
  /** A new channel between two threads, by number: the first end goes to `a`, the second to `b`. */
  connect(a: number, b: number): readonly [LinkEnd, LinkEnd];
  /**
   * Keeps the process alive while the system runs, also when no thread does because all wait for their restart. Gives a function that
   * ends this.
   */
  keepAlive(): () => void;
}
