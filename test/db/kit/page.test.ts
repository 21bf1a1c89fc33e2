import { expect } from 'chai';
import { readLatestPage, readPage } from '../../../db/kit/page.ts';

/** A log that holds `rows[i]` rows at position `i + 1`. */
function logOf(...rows: readonly number[]) {
  const all = rows.flatMap((count, index) =>
    Array.from({ length: count }, (_, row) => ({ position: index + 1, row })),
  );
  return (from: number, to: number, limit: number) =>
    Promise.resolve(all.filter(({ position }) => position > from && position <= to).slice(0, limit));
}

/** Reads page after page; gives the number of rows of each and where it ends. */
async function pages(fetch: ReturnType<typeof logOf>, to: number, limit: number): Promise<string[]> {
  const seen: string[] = [];
  for (let from = 0; from < to;) {
    const page = await readPage(fetch, from, to, limit);
    seen.push(`${page.rows.length} to ${page.to}`);
    from = page.to;
  }
  return seen;
}

describe('pages of a log', () => {
  it('3.2 250 rows come in three pages', async () => {
    const fetch = logOf(...Array.from({ length: 250 }, () => 1));
    expect(await pages(fetch, 250, 100)).to.deep.equal(['100 to 100', '100 to 200', '50 to 250']);
  });

  it('3.5 a position is never cut: it waits for the next page, and one that is too large is a page of its own', async () => {
    expect(await pages(logOf(2, 2, 2), 3, 3)).to.deep.equal(['2 to 1', '2 to 2', '2 to 3']);
    expect(await pages(logOf(1, 450, 1), 3, 100)).to.deep.equal(['1 to 1', '450 to 2', '1 to 3']);
  });

  it('an empty page is complete up to where it was asked for', async () => {
    expect(await pages(logOf(), 7, 100)).to.deep.equal(['0 to 7']);
    expect(await pages(logOf(0, 1, 0), 3, 100)).to.deep.equal(['1 to 3']);
  });

  it('3.3 where a newer row replaces the older one, a page reaches beyond its end to what was replaced since', async () => {
    // The row of 3 was replaced: it stands at 5 now.
    const replaced = logOf(1, 1, 0, 0, 1);
    expect(await readLatestPage(replaced, 0, 3, 100)).to.deep.equal({
      rows: [1, 2, 5].map((position) => ({ position, row: 0 })),
      to: 5,
    });
    expect((await readLatestPage(replaced, 0, 3, 2)).to).to.equal(2);
    expect(await readLatestPage(logOf(), 2, 7, 100)).to.deep.equal({ rows: [], to: 7 });
  });
});
