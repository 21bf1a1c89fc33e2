import { expect } from 'chai';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { failureOf, createProbeHost } from './fixtures/probe-host.ts';
import type { ProbeHost } from './fixtures/probe-host.ts';
import { PROBE_LIMIT, TURN_BUDGET } from './fixtures/probe.ts';

function begun(host: ProbeHost): string[] {
  return host.stage.journal.filter((line) => line.startsWith('begin ')).map((line) => line.slice(6));
}

for (const transport of TRANSPORTS) {
  describe(`delivery, mailboxes and orders, ${transport}`, () => {
    let host: ProbeHost;
    beforeEach(async () => {
      host = await createProbeHost(transport);
    });
    afterEach(() => host.stop());

    it('R1 messages arrive in the order in which they were sent, tells and asks alike', async () => {
      const asks: Promise<unknown>[] = [];
      const ids = Array.from({ length: 12 }, (_, index) => `m${index}`);
      for (const [index, id] of ids.entries()) {
        if (index % 2 === 0) host.ref('by-key').tell('probe.note', { id, key: 'one' });
        else asks.push(host.ref('by-key').ask('probe.work', { id, key: 'one' }));
      }
      await Promise.all(asks);
      await host.idle();
      expect(begun(host)).to.deep.equal(ids);
    });

    it('R2 a message is handled once', async () => {
      for (let index = 0; index < PROBE_LIMIT; index += 1)
        host.ref('interleaved').tell('probe.note', { id: 'same' });
      await host.idle();
      expect(begun(host)).to.have.lengthOf(PROBE_LIMIT);
      expect(host.status().actors.find(({ name }) => name === 'interleaved')?.handled).to.equal(PROBE_LIMIT);
    });

    it('R3 no handler runs within the tell or ask that sent its message', async () => {
      host.ref('serial').tell('probe.note', { id: 'told' });
      const answer = host.ref('serial').ask('probe.work', { id: 'asked' });
      expect(host.stage.journal).to.not.include('begin told');
      await answer;
      await host.idle();
      expect(begun(host)).to.deep.equal(['told', 'asked']);
    });

    it('R4 between threads a message is a clone, on one thread it is the same object', async () => {
      const payload = { list: [1, 2, 3], when: new Date(0), map: new Map([['a', 1]]) };
      const answer = await host.ref('serial').ask('probe.work', { id: 'p', payload });
      expect(answer).to.deep.equal(payload);
      expect(answer === payload).to.equal(transport === 'same-thread');
    });

    it('R6 a message that cannot be cloned harms only its sender', async () => {
      const payload = () => 1;
      const before = host.ref('interleaved').ask('probe.work', { id: 'before' });
      const bad = host.ref('interleaved').ask('probe.work', { id: 'bad', payload });
      const badTell = host.ref('interleaved').tell('probe.note', { id: 'told', payload });
      const after = host.ref('interleaved').ask('probe.work', { id: 'after' });
      expect(badTell).to.equal('sent');
      if (transport === 'same-thread') expect(await bad).to.equal(payload);
      else expect(await failureOf(bad)).to.equal('stopped');
      expect([await before, await after]).to.deep.equal(['before of 1', 'after of 1']);
      await host.idle();
      // Its place is free again.
      const all = Array.from({ length: PROBE_LIMIT }, () =>
        host.ref('interleaved').tell('probe.note', { id: 'x' }),
      );
      expect(all).to.deep.equal(Array.from({ length: PROBE_LIMIT }, () => 'sent'));
      await host.idle();
    });

    it('R7 the sender of one message too many is told at once', async () => {
      const serial = host.ref('serial');
      const outcomes = Array.from({ length: PROBE_LIMIT + 1 }, (_, index) =>
        serial.tell('probe.note', { id: `n${index}` }),
      );
      expect(outcomes).to.deep.equal([...Array.from({ length: PROBE_LIMIT }, () => 'sent'), 'mailbox-full']);
      expect(await failureOf(serial.ask('probe.work', { id: 'asked' }))).to.equal('mailbox-full');
      await host.idle();
      expect(begun(host)).to.deep.equal(['n0', 'n1', 'n2', 'n3']);
      expect(serial.tell('probe.note', { id: 'again' })).to.equal('sent');
      await host.idle();
      expect(host.status().actors.find(({ name }) => name === 'serial')?.refused).to.equal(2);
    });

    it('R8 with drop-oldest the oldest tell makes room and an ask never does', async () => {
      const dropping = host.ref('dropping');
      const running = dropping.ask('probe.work', { id: 'running', gate: 'g' });
      await host.stage.wrote('begin running');
      const asked = dropping.ask('probe.work', { id: 'asked' });
      const outcomes = Array.from({ length: PROBE_LIMIT + 1 }, (_, index) =>
        dropping.tell('probe.note', { id: `n${index}` }),
      );
      expect(new Set(outcomes)).to.deep.equal(new Set(['sent']));
      host.stage.open('g');
      await Promise.all([running, asked]);
      await host.idle();
      expect(begun(host)).to.deep.equal(['running', 'asked', 'n2', 'n3', 'n4']);
      expect(host.status().actors.find(({ name }) => name === 'dropping')?.dropped).to.equal(2);
    });

    it('R8 with drop-oldest senders are refused at twice the limit', async () => {
      const outcomes = Array.from({ length: PROBE_LIMIT * 2 + 1 }, (_, index) =>
        host.ref('dropping').tell('probe.note', { id: `n${index}` }),
      );
      // On the same thread the mailbox is looked at with each tell, so that it never gets there.
      expect(outcomes.at(-1)).to.equal(transport === 'same-thread' ? 'sent' : 'mailbox-full');
      expect(outcomes.filter((outcome) => outcome === 'sent')).to.have.lengthOf.at.least(PROBE_LIMIT * 2);
      await host.idle();
    });

    it('R9 at most limit messages are open at one time', async () => {
      const answers: Promise<unknown>[] = [];
      for (let index = 0; index < PROBE_LIMIT; index += 1)
        answers.push(
          host.ref('interleaved').ask('probe.work', { id: `a${index}`, gate: 'g', isLater: index % 2 === 0 }),
        );
      await host.stage.wrote('begin a3');
      answers.push(host.ref('interleaved').ask('probe.work', { id: 'waits' }));
      // An answer of the same thread shows that the message has had its chance.
      await host.ref('serial').ask('probe.work', { id: 'other' });
      expect(begun(host)).to.not.include('waits');
      host.stage.open('g');
      await Promise.all(answers);
      await host.stage.wrote('end waits');
    });

    it('R11 a serial actor has one handler under way, awaits included', async () => {
      const first = host.ref('serial').ask('probe.work', { id: 'first', gate: 'g' });
      const second = host.ref('serial').ask('probe.work', { id: 'second' });
      await host.stage.wrote('begin first');
      await host.ref('interleaved').ask('probe.work', { id: 'other' });
      expect(begun(host)).to.deep.equal(['first', 'other']);
      host.stage.open('g');
      await Promise.all([first, second]);
      await host.idle();
      const own = host.stage.journal.filter((line) => line.endsWith('first') || line.endsWith('second'));
      expect(own).to.deep.equal(['begin first', 'end first', 'begin second', 'end second']);
    });

    it('R12 handlers of an interleaved actor begin in order and overlap', async () => {
      const first = host.ref('interleaved').ask('probe.work', { id: 'first', gate: 'g' });
      await host.ref('interleaved').ask('probe.work', { id: 'second' });
      host.stage.open('g');
      await first;
      await host.idle();
      const own = host.stage.journal.filter((line) => !line.startsWith('start'));
      expect(own).to.deep.equal(['begin first', 'begin second', 'end second', 'end first']);
    });

    it('R13 a by-key actor is serial within a key and interleaved between keys', async () => {
      const byKey = host.ref('by-key');
      const slow = byKey.ask('probe.work', { id: 'a1', key: 'a', gate: 'g' });
      const next = byKey.ask('probe.work', { id: 'a2', key: 'a' });
      await byKey.ask('probe.work', { id: 'b1', key: 'b' });
      await byKey.ask('probe.work', { id: 'n1', key: null, gate: 'open' }, { deadlineMs: 20 }).catch(() => 0);
      await byKey.ask('probe.work', { id: 'n2', key: null });
      expect(begun(host)).to.deep.equal(['a1', 'b1', 'n1', 'n2']);
      host.stage.open('g');
      host.stage.open('open');
      await Promise.all([slow, next]);
      expect(begun(host).at(-1)).to.equal('a2');
      await host.idle();
    });

    it('R13 a key function that throws crashes the actor with that message', async () => {
      const bad = host.ref('by-key').ask('probe.work', { id: 'bad', key: 'defect' });
      const good = host.ref('by-key').ask('probe.work', { id: 'good', key: 'a' });
      expect(await failureOf(bad)).to.equal('stopped');
      expect(await good).to.equal('good of 2');
    });

    it('R14 after the turn budget of a key the others have their turn', async () => {
      const byKey = host.ref('by-key');
      const ids = ['a0', 'a1', 'a2', 'a3', 'a4', 'b0', 'b1', 'c0'];
      for (const id of ids) byKey.tell('probe.note', { id, key: id.charAt(0) });
      await host.idle();
      expect(TURN_BUDGET).to.equal(2);
      expect(begun(host)).to.deep.equal(['a0', 'a1', 'b0', 'b1', 'c0', 'a2', 'a3', 'a4']);
    });

    for (const isLater of [true, 'after-a-promise'] as const)
      it(`R15 later (${isLater}) ends the turn at once and answers when its promise settles`, async () => {
        const slow = host.ref('serial').ask('probe.work', { id: 'slow', gate: 'g', isLater });
        expect(await host.ref('serial').ask('probe.work', { id: 'next' })).to.equal('next of 1');
        host.stage.open('g');
        expect(await slow).to.equal('slow of 1');
      });

    it('R17 an ask is answered with what the handler returns, also when that is a refusal', async () => {
      const payload = { refused: 'no' };
      expect(await host.ref('serial').ask('probe.work', { id: 'r', payload })).to.deep.equal(payload);
    });
  });
}
