import { expect } from 'chai';
import {
  ANSWERS_AT_ONCE_MAX,
  createStateAnswers,
  REMEMBERED_MS,
  type StateAnswers,
  WORK_MS_MAX,
  WORK_WINDOW_MS,
} from '../../../../src/federation/history/state-answers.ts';
import { isRefusal, refuse, type Refusal } from '../../../../src/matrix/refusal.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';

const PEER = 'other.example';

describe('answers about states', () => {
  let clock: FakeClock;
  let answers: StateAnswers;
  let made: string[];
  beforeEach(() => {
    clock = createFakeClock();
    answers = createStateAnswers(clock);
    made = [];
  });

  const ask = (question: string, serverName = PEER, workMs = 0): Promise<string | Refusal> =>
    answers.answer(serverName, question, async () => {
      made.push(question);
      await clock.advance(workMs);
      return `answer to ${question}`;
    });

  it('are made once for all who ask at about the same time', async () => {
    const both = await Promise.all([ask('a'), ask('a', 'third.example')]);
    expect(both).to.deep.equal(['answer to a', 'answer to a']);
    await clock.advance(REMEMBERED_MS - 1);
    expect(await ask('a')).to.equal('answer to a');
    expect(made).to.deep.equal(['a']);
    await clock.advance(1);
    await ask('a');
    expect(made).to.deep.equal(['a', 'a']);
  });

  it('are not remembered where there is none', async () => {
    const no = refuse('M_NOT_FOUND', 'not known');
    expect(await answers.answer(PEER, 'a', () => Promise.resolve(no))).to.equal(no);
    expect(await ask('a')).to.equal('answer to a');
  });

  it('are so many at once for one server, and others have theirs', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const held = Array.from({ length: ANSWERS_AT_ONCE_MAX }, (_, index) =>
      answers.answer(PEER, `held ${index}`, () => promise),
    );
    const refused = await ask('one more');
    expect(refused).to.deep.include({ errcode: 'M_LIMIT_EXCEEDED', status: 429 });
    expect((refused as Refusal).extra?.['retry_after_ms']).to.be.greaterThan(0);
    expect(isRefusal(await answers.work(PEER, () => Promise.resolve('a join')))).to.equal(true);
    expect(await ask('one more', 'third.example')).to.equal('answer to one more');
    resolve('done');
    expect(await Promise.all(held)).to.deep.equal(held.map(() => 'done'));
    expect(await ask('later')).to.equal('answer to later');
  });

  it('are so much work in a time for one server, which is told how long it has to wait', async () => {
    await ask('long', PEER, 1.5 * WORK_MS_MAX);
    const refused = answers.refuseNow(PEER);
    const waitMs = Number(refused?.extra?.['retry_after_ms']);
    expect(waitMs).to.be.within(2_000, WORK_WINDOW_MS);
    expect(answers.refuseNow('third.example')).to.equal(undefined);
    await clock.advance(waitMs - 100);
    expect(isRefusal(await ask('too early'))).to.equal(true);
    await clock.advance(100);
    expect(await ask('in time')).to.equal('answer to in time');
  });

  it('fail for all who wait for one that fails, and are made anew', async () => {
    const failing = answers.answer(PEER, 'a', () => Promise.reject(new Error('of the test')));
    const error: unknown = await failing.catch((reason: unknown) => reason);
    expect(error).to.be.an('error');
    expect(await ask('a')).to.equal('answer to a');
  });
});
