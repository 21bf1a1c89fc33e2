import { defineActor } from '../../actors/environment.ts';
import type { Environment } from '../../actors/environment.ts';
import type { AnyActorDefinition } from '../../actors/kit/actor.ts';
import type { Ask } from '../../actors/kit/protocol.ts';
import type { ActorMap } from '../../actors/protocols.ts';
import { ownDurableStream } from '../../actors/stream-owner.ts';
import { readStreamStart } from '../../db/streams/reader.ts';
import { readPage } from '../../db/kit/page.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import { defineDurableStream } from '../../src/streams/stream.ts';

/** A row that says where it belongs. */
export type LedgerRow = { readonly position: number; readonly index: number; readonly of: number };

/** Positions with so many rows are more than one page. */
const ROWS_OF_A_LARGE_POSITION = 130;

/** What stands under a position: none, one, some, or more rows than a page holds. Every reader can work it out. */
export function ledgerRows(position: number): readonly LedgerRow[] {
  const of = position % 23 === 0 ? ROWS_OF_A_LARGE_POSITION : position % 4;
  return Array.from({ length: of }, (_, index) => ({ position, index, of }));
}

/**
 * A durable stream with several rows under one position, which none of the program's has in this workload. Its table is arithmetic: what
 * is committed is the position alone.
 */
export const ledgerStream = defineDurableStream<'ledger', LedgerRow>({
  name: 'ledger',
  letter: 'z',
  owner: 'ledger',
  tables: [],
  async read(db, from, to, limit) {
    // As slow as any read, and no more than what is committed.
    const { forward } = await readStreamStart(db, ledgerStream);
    if (forward < to) throw new Error(`the ledger was read up to ${to}, and ends at ${forward}`);
    return readPage(
      (after, upTo, most) => {
        const rows = [];
        for (let position = after + 1; position <= upTo && rows.length < most; position += 1)
          for (const row of ledgerRows(position)) rows.push({ position, row });
        return Promise.resolve(rows.slice(0, most));
      },
      from,
      to,
      limit,
    );
  },
  wakes: () => ['user:@clerk:sim.example'],
  invalidates: () => [],
});

export type LedgerProtocol = StreamOwnerProtocol & {
  /** Advances by so many positions. */
  'ledger.write': Ask<{ readonly count: number }, { readonly position: number | null }>;
};

/** The owner of the ledger. */
export const ledgerActor: AnyActorDefinition<ActorMap, Environment> = defineActor<LedgerProtocol>({
  name: 'ledger',
  mailbox: { limit: 1_000, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, ledgerStream);
    return {
      handlers: {
        ...handlers,
        async 'ledger.write'({ count }) {
          const outcome = await owner.write({
            count,
            steps: [],
            rows: (positions) => positions.map(ledgerRows),
          });
          return { position: outcome.kind === 'committed' ? outcome.position : null };
        },
      },
    };
  },
});
