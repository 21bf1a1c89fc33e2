import { expect } from 'chai';
import { REASON_BYTES_MAX } from '../../../../../actors/reports/actor.ts';
import { readReports } from '../../../../../db/reports/reader.ts';
import { deleteOldest, storeReport } from '../../../../../db/reports/writer.ts';
import { step } from '../../../../../db/kit/write-set.ts';
import type { HttpClient } from '../../../../support/http-client.ts';
import { type AccountApp, outcomeOf, startAccountApp } from '../account-app.ts';

const report = (userId: string): string => `/_matrix/client/v3/users/${encodeURIComponent(userId)}/report`;

describe('reports', () => {
  let app: AccountApp;
  let alice: HttpClient;

  beforeEach(async () => {
    app = await startAccountApp();
    alice = await app.register('alice', 'correct horse');
    await app.register('bob', 'correct horse');
  });

  afterEach(() => app.close());

  const stored = () => readReports(app.world.database.db, null, 10);

  it('of users are kept, of both servers, and the last word of each counts', async () => {
    expect((await alice.post(report('@bob:example.org'), { reason: 'spam' })).body).to.deep.equal({});
    expect((await alice.post(report('@eve:elsewhere.org'), { reason: '' })).status).to.equal(200);
    expect((await alice.post(report('@bob:example.org'), { reason: 'worse' })).status).to.equal(200);
    const rows = (await stored()).map(({ reporter, userId, reason }) => ({ reporter, userId, reason }));
    const reporter = '@alice:example.org';
    expect(rows).to.deep.equal([
      { reporter, userId: '@bob:example.org', reason: 'worse' },
      { reporter, userId: '@eve:elsewhere.org', reason: '' },
    ]);
  });

  it('do not tell who or what exists', async () => {
    const answers = await Promise.all([
      alice.post(report('@bob:example.org'), { reason: 'x' }),
      alice.post(report('@nobody:example.org'), { reason: 'x' }),
      alice.post('/_matrix/client/v3/rooms/!none:example.org/report', { reason: 'x' }),
    ]);
    expect(answers.map(({ status, text }) => [status, text])).to.deep.equal([
      [200, '{}'],
      [200, '{}'],
      [200, '{}'],
    ]);
    expect(await stored()).to.have.length(1);
    const event = await alice.post('/_matrix/client/v3/rooms/!none:example.org/report/$e', { reason: 'x' });
    expect(outcomeOf(event)).to.equal('404 M_NOT_FOUND');
  });

  it('are refused when they are no reports', async () => {
    expect(outcomeOf(await alice.post(report('bob'), { reason: 'x' }))).to.equal('400 M_INVALID_PARAM');
    expect(outcomeOf(await alice.post(report('@bob:example.org'), {}))).to.equal('400 M_MISSING_PARAM');
    const long = { reason: 'x'.repeat(REASON_BYTES_MAX + 1) };
    expect(outcomeOf(await alice.post(report('@bob:example.org'), long))).to.equal('400 M_TOO_LARGE');
    expect(outcomeOf(await app.client.post(report('@bob:example.org'), { reason: 'x' }))).to.equal(
      '401 M_MISSING_TOKEN',
    );
    expect(await stored()).to.deep.equal([]);
  });

  it('are bounded, the oldest go first, and are read in pages', async () => {
    const one = (index: number) =>
      storeReport({
        reporter: `@u${index}:example.org`,
        kind: 'user',
        userId: '@bob:example.org',
        roomId: '',
        eventId: '',
        reason: '',
        score: null,
        now: index,
      });
    const steps = [0, 1, 2, 3, 4].flatMap(one);
    const { write, db } = app.world.database;
    await write.write({ owner: 'reports', steps: [...steps, step(deleteOldest, { keep: 3 })] });
    const newest = await readReports(db, null, 2);
    expect(newest.map(({ createdTs }) => createdTs)).to.deep.equal([4, 3]);
    const older = await readReports(db, newest.at(-1)?.reportId ?? 0, 2);
    expect(older.map(({ createdTs }) => createdTs)).to.deep.equal([2]);
  });
});
