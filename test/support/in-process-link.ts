import type { Batch, Link } from '../../actors/kit/link.ts';
import type { Scheduler } from '../../actors/kit/scheduler.ts';

/** A link within one thread that behaves like one between threads: batches are cloned, and arrive in a later turn of the receiver. */
export interface InProcessLink extends Link {
  /** The thread of this end dies: what it has not handed over is lost, and the other end closes. */
  sever(): void;
}

interface End {
  readonly link: InProcessLink;
  peer: End | null;
  receive(batch: Batch): void;
  closed(): void;
}

function createEnd(scheduler: Scheduler): End {
  const arriving: (Batch | 'closed')[] = [];
  let receive: ((batch: Batch) => void) | null = null;
  let closed: () => void = () => undefined;
  let isOpen = true;

  const deliver = (): void => {
    if (receive === null) return;
    const batch = arriving.shift();
    if (batch === undefined || !isOpen) return;
    if (batch !== 'closed') {
      receive(batch);
      return;
    }
    isOpen = false;
    closed();
  };
  const arrive = (batch: Batch | 'closed'): void => {
    arriving.push(batch);
    scheduler.nextTurn(deliver);
  };
  const end: End = {
    peer: null,
    receive: (batch) => arrive(batch),
    closed: () => arrive('closed'),
    link: {
      post(batch) {
        const clone = structuredClone(batch);
        if (isOpen) end.peer?.receive(clone);
      },
      open(onBatch, onClose) {
        receive = onBatch;
        closed = onClose;
        for (let count = arriving.length; count > 0; count -= 1) scheduler.nextTurn(deliver);
      },
      close() {
        if (!isOpen) return;
        isOpen = false;
        end.peer?.closed();
      },
      sever() {
        isOpen = false;
        end.peer?.closed();
      },
    },
  };
  return end;
}

/**
 * Two ends of one link.
 *
 * @param first the scheduler of the thread that holds the first end, `second` that of the other
 */
export function createInProcessLinks(
  first: Scheduler,
  second: Scheduler,
): readonly [InProcessLink, InProcessLink] {
  const ends = [createEnd(first), createEnd(second)] as const;
  ends[0].peer = ends[1];
  ends[1].peer = ends[0];
  return [ends[0].link, ends[1].link];
}
