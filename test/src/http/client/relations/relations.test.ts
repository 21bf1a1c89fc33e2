import { expect } from 'chai';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';
import {
  annotation,
  bundle,
  edit,
  idsOf,
  ignore,
  redact,
  refusalOf,
  related,
  relations,
  send,
  threads,
} from './relations-world.ts';

const MESSAGE = 'm.room.message';
const REACTION = 'm.reaction';

describe('what relates to events', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let carol: Person;
  let room: string;
  let root: string;

  before(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    carol = await world.person('carol');
  });
  after(() => world.stop());
  beforeEach(async () => {
    room = await alice.room();
    await bob.act('join', room);
    root = await alice.say(room, 'root');
    await ignore(alice);
  });

  describe('GET /relations', () => {
    it('gives the children, the newest first, of a kind and of a type', async () => {
      const reaction = await send(bob, room, REACTION, annotation(root, '👍'));
      const reply = await send(bob, room, MESSAGE, related('m.thread', root, 'one'));
      const other = await send(alice, room, 'org.example', related('m.thread', root, 'two'));
      await send(bob, room, MESSAGE, { msgtype: 'm.text', body: 'plain' });
      await send(bob, room, MESSAGE, {
        msgtype: 'm.text',
        body: 'a reply has no kind',
        'm.relates_to': { 'm.in_reply_to': { event_id: root } },
      });
      expect(idsOf(await relations(alice, room, root))).to.deep.equal([other, reply, reaction]);
      expect(idsOf(await relations(alice, room, root, '', { dir: 'f' }))).to.deep.equal([
        reaction,
        reply,
        other,
      ]);
      expect(idsOf(await relations(alice, room, root, '/m.thread'))).to.deep.equal([other, reply]);
      expect(idsOf(await relations(alice, room, root, `/m.thread/${MESSAGE}`))).to.deep.equal([reply]);
      expect(idsOf(await relations(alice, room, root, '/m.thread/m.none'))).to.deep.equal([]);
    });

    for (const dir of ['b', 'f'])
      it(`goes on from page to page, dir=${dir}`, async () => {
        const sent: string[] = [];
        for (let at = 0; at < 7; at += 1)
          sent.push(await send(bob, room, MESSAGE, related('m.reference', root, `${at}`)));
        const found: string[] = [];
        let from: string | undefined;
        do {
          const page = await relations(alice, room, root, '', { limit: 3, dir, ...(from && { from }) });
          expect(page.prev_batch).to.equal(from);
          found.push(...idsOf(page));
          from = page.next_batch;
        } while (from !== undefined);
        expect(found).to.deep.equal(dir === 'f' ? sent : sent.toReversed());
        const first = await relations(alice, room, root, '', { limit: 2, dir });
        const second = await relations(alice, room, root, '', { limit: 2, dir, from: first.next_batch });
        const range = { dir, from: first.next_batch, to: second.next_batch };
        expect(idsOf(await relations(alice, room, root, '', range))).to.deep.equal(idsOf(second));
      });

    it('follows relations of relations, three deep, and nothing through what is not asked for', async () => {
      const one = await send(bob, room, MESSAGE, related('m.thread', root, '1'));
      const two = await send(bob, room, REACTION, annotation(one, 'x'));
      const three = await send(bob, room, 'org.example', related('m.reference', two, '3'));
      await send(bob, room, 'org.example', related('m.reference', three, '4'));
      const whole = await relations(alice, room, root, '', { recurse: true });
      expect(idsOf(whole)).to.deep.equal([three, two, one]);
      expect(whole.recursion_depth).to.equal(3);
      const flat = await relations(alice, room, root, '', { recurse: false });
      expect(idsOf(flat)).to.deep.equal([one]);
      expect(flat.recursion_depth).to.equal(1);
      expect((await relations(alice, room, root)).recursion_depth).to.equal(undefined);
      expect(idsOf(await relations(alice, room, root, '/m.thread', { recurse: true }))).to.deep.equal([one]);
      expect(idsOf(await relations(alice, room, root, '/m.reference', { recurse: true }))).to.deep.equal([]);
      const paged = await relations(alice, room, root, '', { recurse: true, limit: 2 });
      const rest = await relations(alice, room, root, '', { recurse: true, from: paged.next_batch });
      expect([...idsOf(paged), ...idsOf(rest)]).to.deep.equal([three, two, one]);
    });

    it('leaves out what was redacted, is of another room or of somebody ignored', async () => {
      const other = await alice.room();
      await bob.act('join', other);
      await send(bob, other, MESSAGE, related('m.reference', root, 'elsewhere'));
      const gone = await send(bob, room, MESSAGE, related('m.reference', root, 'gone'));
      const own = await send(alice, room, MESSAGE, related('m.reference', root, 'own'));
      const ofBob = await send(bob, room, MESSAGE, related('m.reference', root, 'bob'));
      await redact(bob, room, gone);
      expect(idsOf(await relations(alice, room, root))).to.deep.equal([ofBob, own]);
      await ignore(alice, bob);
      expect(idsOf(await relations(alice, room, root))).to.deep.equal([own]);
      expect(idsOf(await relations(bob, room, root))).to.deep.equal([ofBob, own]);
    });

    it('is for who may see the event, and shows what they may see', async () => {
      const path = pathOf`/_matrix/client/v1/rooms/${room}/relations/${root}`;
      expect((await carol.http.get(path)).status).to.equal(404);
      expect((await alice.http.get(`${path}nonsense`)).status).to.equal(404);
      expect((await alice.http.get(path, { query: { from: 'nonsense' } })).status).to.equal(400);
      const seen = await send(alice, room, MESSAGE, related('m.reference', root, 'seen'));
      await bob.act('leave', room);
      await send(alice, room, MESSAGE, related('m.reference', root, 'unseen'));
      expect(idsOf(await relations(bob, room, root))).to.deep.equal([seen]);
      expect(await bundle(bob, room, root)).to.deep.equal({ 'm.reference': { chunk: [{ event_id: seen }] } });
    });

    it('answers under the older paths', async () => {
      const child = await send(bob, room, MESSAGE, related('m.reference', root, 'x'));
      const path = pathOf`/_matrix/client/unstable/rooms/${room}/relations/${root}/m.reference`;
      expect(idsOf((await alice.http.get(path)).body)).to.deep.equal([child]);
    });
  });

  describe('what a user may send', () => {
    it('is one annotation of a kind; another one when that was redacted', async () => {
      const first = await send(bob, room, REACTION, annotation(root, '👍'));
      expect(await refusalOf(bob, room, REACTION, annotation(root, '👍'))).to.equal(
        '400 M_DUPLICATE_ANNOTATION',
      );
      await send(bob, room, REACTION, annotation(root, '👎'));
      await send(bob, room, 'org.example.reaction', annotation(root, '👍'));
      await send(alice, room, REACTION, annotation(root, '👍'));
      await redact(bob, room, first);
      await send(bob, room, REACTION, annotation(root, '👍'));
    });

    it('is one annotation even of many at the same moment, and the same transaction gives the same', async () => {
      const path = (txnId: string): string =>
        pathOf`/_matrix/client/v3/rooms/${room}/send/m.reaction/${txnId}`;
      const answers = await Promise.all(
        ['a', 'b', 'c', 'd'].map((txnId) => bob.http.put(path(txnId), annotation(root, '1'))),
      );
      expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).to.deep.equal([
        200, 400, 400, 400,
      ]);
      const at = answers.findIndex(({ status }) => status === 200);
      const again = await bob.http.put(path(['a', 'b', 'c', 'd'][at] ?? ''), annotation(root, '1'));
      expect(again.body).to.deep.equal(answers[at]?.body);
    });

    it('is no thread that begins within a thread, or at an edit or a reaction', async () => {
      const reply = await send(bob, room, MESSAGE, related('m.thread', root, 'in a thread'));
      const reaction = await send(bob, room, REACTION, annotation(root, '1'));
      for (const parent of [reply, reaction])
        expect(await refusalOf(bob, room, MESSAGE, related('m.thread', parent, 'x'))).to.equal(
          '400 M_UNKNOWN',
        );
      const plain = await send(bob, room, MESSAGE, {
        msgtype: 'm.text',
        body: 'a reply',
        'm.relates_to': { 'm.in_reply_to': { event_id: root } },
      });
      await send(bob, room, MESSAGE, related('m.thread', plain, 'may begin one'));
      await redact(bob, room, reply);
      await send(bob, room, MESSAGE, related('m.thread', reply, 'relates to nothing any more'));
    });

    it('is refused to who is not in the room, whatever it relates to', async () => {
      const reply = await send(bob, room, MESSAGE, related('m.thread', root, 'in a thread'));
      expect(await refusalOf(carol, room, MESSAGE, related('m.thread', reply, 'x'))).to.equal(
        '403 M_FORBIDDEN',
      );
    });
  });

  describe('bundles', () => {
    it('have the latest valid edit, whole, and leave the event as it was', async () => {
      await send(bob, room, MESSAGE, edit(root, 'not mine'));
      expect(await bundle(alice, room, root)).to.equal(undefined);
      await send(alice, room, MESSAGE, edit(root, 'one'));
      await send(alice, room, 'org.example', edit(root, 'of another type'));
      await send(alice, room, MESSAGE, related('m.replace', root, 'without new content'));
      await world.clock.advance(10);
      const latest = await send(alice, room, MESSAGE, edit(root, 'two'));
      const event = await bob.get(pathOf`/rooms/${room}/event/${root}`);
      expect(event.content.body).to.equal('root');
      const shown = event.unsigned['m.relations']['m.replace'];
      expect(shown).to.deep.include({ event_id: latest, room_id: room, sender: alice.userId, type: MESSAGE });
      expect(shown.content['m.new_content'].body).to.equal('two');
      expect(await bundle(alice, room, latest)).to.equal(undefined);
      await redact(alice, room, latest);
      const before = (await bundle(bob, room, root))['m.replace'];
      expect(before.content['m.new_content'].body).to.equal('one');
    });

    it('have of edits of one moment the one with the greatest id', async () => {
      const ids = [
        await send(alice, room, MESSAGE, edit(root, '1')),
        await send(alice, room, MESSAGE, edit(root, '2')),
      ];
      ids.push(await send(alice, room, MESSAGE, edit(root, '3')));
      expect((await bundle(bob, room, root))['m.replace'].event_id).to.equal(ids.toSorted().at(-1));
    });

    it('have no edit of a redacted event, and keep its thread', async () => {
      await send(alice, room, MESSAGE, edit(root, 'one'));
      const reply = await send(bob, room, MESSAGE, related('m.thread', root, 'reply'));
      await redact(alice, room, root);
      const shown = await bundle(bob, room, root);
      expect(Object.keys(shown)).to.deep.equal(['m.thread']);
      expect(shown['m.thread'].latest_event.event_id).to.equal(reply);
    });

    it('count a thread, with its latest event as it was edited', async () => {
      const one = await send(bob, room, MESSAGE, related('m.thread', root, 'one'));
      const two = await send(bob, room, MESSAGE, related('m.thread', root, 'two'));
      const better = await send(bob, room, MESSAGE, edit(two, 'better'));
      await send(alice, room, REACTION, annotation(root, '👍'));
      await carol.act('join', room);
      for (const [person, participated] of [
        [alice, true],
        [bob, true],
        [carol, false],
      ] as const) {
        const shown = await bundle(person, room, root);
        expect(Object.keys(shown)).to.deep.equal(['m.thread']);
        expect(shown['m.thread']).to.include({ count: 2, current_user_participated: participated });
        expect(shown['m.thread'].latest_event.event_id).to.equal(two);
        expect(shown['m.thread'].latest_event.unsigned['m.relations']['m.replace'].event_id).to.equal(better);
      }
      await redact(bob, room, two);
      expect((await bundle(carol, room, root))['m.thread']).to.deep.include({ count: 1 });
      expect((await bundle(carol, room, root))['m.thread'].latest_event.event_id).to.equal(one);
    });

    it('leave out those who are ignored', async () => {
      const own = await send(alice, room, MESSAGE, related('m.thread', root, 'own'));
      await send(bob, room, MESSAGE, related('m.thread', root, 'bob'));
      const reference = await send(alice, room, MESSAGE, related('m.reference', root, 'own'));
      await send(bob, room, MESSAGE, related('m.reference', root, 'bob'));
      await ignore(alice, bob);
      const shown = await bundle(alice, room, root);
      expect(shown['m.thread'].count).to.equal(1);
      expect(shown['m.thread'].latest_event.event_id).to.equal(own);
      expect(shown['m.reference']).to.deep.equal({ chunk: [{ event_id: reference }] });
      expect((await bundle(bob, room, root))['m.thread'].count).to.equal(2);
    });

    it('are not for state events, and nothing relates from another room', async () => {
      const other = await alice.room();
      await send(alice, other, MESSAGE, related('m.thread', root, 'elsewhere'));
      expect(await bundle(alice, room, root)).to.equal(undefined);
      const { event_id: topic } = await alice.put(pathOf`/rooms/${room}/state/m.room.topic`, { topic: 'x' });
      await send(alice, room, MESSAGE, related('m.reference', topic, 'about the topic'));
      expect(await bundle(alice, room, topic)).to.equal(undefined);
    });

    it('show who came later what they may see', async () => {
      const visibility = pathOf`/rooms/${room}/state/m.room.history_visibility`;
      await alice.put(visibility, { history_visibility: 'joined' });
      await send(alice, room, MESSAGE, related('m.thread', root, 'unseen by carol'));
      await alice.put(visibility, { history_visibility: 'shared' });
      const later = await alice.say(room, 'later');
      const other = await alice.say(room, 'other');
      await alice.put(visibility, { history_visibility: 'joined' });
      for (const id of [later, other]) await send(alice, room, MESSAGE, related('m.thread', id, 'unseen'));
      await send(alice, room, MESSAGE, edit(later, 'unseen'));
      await carol.act('join', room);
      expect(await bundle(carol, room, later)).to.equal(undefined);
      const seen = await send(alice, room, MESSAGE, related('m.thread', later, 'seen'));
      const shown = await bundle(carol, room, later);
      expect(shown['m.thread']).to.include({ count: 1 });
      expect(shown['m.thread'].latest_event.event_id).to.equal(seen);
      expect((await bundle(alice, room, later))['m.thread'].count).to.equal(2);
      expect(await bundle(carol, room, later)).to.not.have.property('m.replace');
      await send(alice, room, MESSAGE, related('m.thread', other, 'seen'));
      expect((await bundle(carol, room, other))['m.thread'].count).to.equal(1);
    });

    it('come with /messages, /context, /relations, /threads, and with sync where it is limited', async () => {
      const reply = await send(bob, room, MESSAGE, related('m.thread', root, 'reply'));
      await send(bob, room, MESSAGE, edit(reply, 'better'));
      const of = (events: Answer, eventId: string): Answer =>
        events.find((event: Answer) => event.event_id === eventId)?.unsigned['m.relations'];
      const { chunk } = await alice.get(pathOf`/rooms/${room}/messages`, { dir: 'b' });
      expect(of(chunk, root)['m.thread'].count).to.equal(1);
      const context = await alice.get(pathOf`/rooms/${room}/context/${reply}`);
      expect(context.event.unsigned['m.relations']).to.have.property('m.replace');
      expect(of(context.events_before, root)['m.thread'].count).to.equal(1);
      expect(of((await relations(alice, room, root)).chunk, reply)).to.have.property('m.replace');
      expect(of((await threads(alice, room)).chunk, root)['m.thread'].count).to.equal(1);
      const limited = await alice.sync({ filter: JSON.stringify({ room: { timeline: { limit: 3 } } }) });
      expect(of(limited.rooms.join[room].timeline.events, root)['m.thread'].count).to.equal(1);
      const whole = await alice.sync({ filter: JSON.stringify({ room: { timeline: { limit: 100 } } }) });
      expect(whole.rooms.join[room].timeline.limited).to.equal(false);
      expect(of(whole.rooms.join[room].timeline.events, root)).to.equal(undefined);
    });
  });

  describe('GET /threads', () => {
    it('gives the roots, the one that was written in last first, page by page', async () => {
      const roots = [root, await bob.say(room, 'second'), await bob.say(room, 'third')];
      for (const id of roots) await send(bob, room, MESSAGE, related('m.thread', id, 'x'));
      await send(bob, room, MESSAGE, related('m.thread', root, 'again'));
      const order = [root, roots[2], roots[1]];
      expect(idsOf(await threads(alice, room))).to.deep.equal(order);
      const found: string[] = [];
      let from: string | undefined;
      do {
        const page = await threads(alice, room, { limit: 1, ...(from && { from }) });
        expect(page.chunk).to.have.lengthOf(1);
        found.push(...idsOf(page));
        from = page.next_batch;
      } while (from !== undefined);
      expect(found).to.deep.equal(order);
    });

    it('gives those that the user has begun or written in', async () => {
      const other = await bob.say(room, 'second');
      const third = await bob.say(room, 'third');
      for (const id of [root, other, third]) await send(bob, room, MESSAGE, related('m.thread', id, 'x'));
      const reply = await send(alice, room, MESSAGE, related('m.thread', other, 'mine'));
      expect(idsOf(await threads(alice, room, { include: 'participated' }))).to.deep.equal([other, root]);
      await redact(alice, room, reply);
      expect(idsOf(await threads(alice, room, { include: 'participated' }))).to.deep.equal([root]);
      expect(idsOf(await threads(bob, room, { include: 'participated' }))).to.deep.equal([
        third,
        other,
        root,
      ]);
    });

    it('is for members, ends where the user left, and hides what ignored users began', async () => {
      const path = pathOf`/_matrix/client/v1/rooms/${room}/threads`;
      expect((await carol.http.get(path)).status).to.equal(403);
      await send(bob, room, MESSAGE, related('m.thread', root, 'seen'));
      const ofBob = await bob.say(room, 'by bob');
      await send(alice, room, MESSAGE, related('m.thread', ofBob, 'x'));
      await ignore(alice, bob);
      const [first] = (await threads(alice, room)).chunk;
      expect(first).to.deep.include({ event_id: ofBob, content: {}, sender: bob.userId });
      await bob.act('leave', room);
      const later = await alice.say(room, 'later');
      await send(alice, room, MESSAGE, related('m.thread', later, 'unseen'));
      await send(alice, room, MESSAGE, related('m.thread', root, 'unseen'));
      const shown = await threads(bob, room);
      expect(idsOf(shown)).to.deep.equal([ofBob, root]);
      expect(shown.chunk[1].unsigned['m.relations']['m.thread'].count).to.equal(1);
    });
  });

  describe('filters', () => {
    it('let through what somebody relates to, and what relates in some way', async () => {
      const threaded = await alice.say(room, 'threaded');
      const reply = await send(bob, room, MESSAGE, related('m.thread', threaded, 'x'));
      await send(alice, room, REACTION, annotation(root, '1'));
      const ask = async (filter: object): Promise<string[]> =>
        idsOf(
          await alice.get(pathOf`/rooms/${room}/messages`, {
            dir: 'b',
            limit: 50,
            filter: JSON.stringify({ types: [MESSAGE], ...filter }),
          }),
        );
      expect(await ask({ related_by_rel_types: ['m.thread'] })).to.deep.equal([threaded]);
      expect(await ask({ related_by_senders: [alice.userId] })).to.deep.equal([root]);
      const both = { related_by_senders: [alice.userId], related_by_rel_types: ['m.thread'] };
      expect(await ask(both)).to.deep.equal([]);
      expect(await ask({ 'io.element.relation_types': ['m.thread'] })).to.deep.equal([threaded]);
      expect(await ask({ 'org.matrix.msc3874.rel_types': ['m.thread'] })).to.deep.equal([reply]);
      expect(await ask({ 'org.matrix.msc3874.not_rel_types': ['m.thread'] })).to.deep.equal([threaded, root]);
      const filter = { room: { timeline: { related_by_rel_types: ['m.annotation'] } } };
      const synced = await alice.sync({ filter: JSON.stringify(filter) });
      expect(idsOf({ chunk: synced.rooms.join[room].timeline.events })).to.deep.equal([root]);
    });
  });
});
