import { expect } from 'chai';
import * as fc from 'fast-check';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';
import { bundleOf, type ModelBundle, type ModelEvent } from './aggregations-model.ts';
import { annotation, idsOf, ignore, redact, refusalOf, relations, send } from './relations-world.ts';

const SEED = 20_261_123;
const RUNS = 4;
const STEPS = 60;

const TYPES = ['m.room.message', 'org.example'] as const;
const REL_TYPES = ['m.replace', 'm.thread', 'm.reference', 'm.annotation', 'org.example.rel'] as const;

const step = fc.record({
  by: fc.nat(2),
  action: fc.constantFrom('say', 'relate', 'relate', 'relate', 'relate', 'redact', 'ignore', 'look'),
  target: fc.nat(),
  relType: fc.constantFrom(...REL_TYPES),
  type: fc.constantFrom(TYPES[0], TYPES[0], TYPES[1]),
  isWhole: fc.integer({ min: 0, max: 5 }),
  isElsewhere: fc.integer({ min: 0, max: 9 }),
  pass: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What an answer says, in the words of the model. */
function read(event: Answer): ModelBundle | null {
  const shown = event.unsigned?.['m.relations'];
  if (shown === undefined) return null;
  const thread = shown['m.thread'];
  return {
    edit: shown['m.replace']?.event_id ?? null,
    references: (shown['m.reference']?.chunk ?? []).map((item: Answer) => item.event_id),
    thread:
      thread === undefined
        ? null
        : {
            count: thread.count,
            latest: thread.latest_event.event_id,
            latestEdit: thread.latest_event.unsigned['m.relations']?.['m.replace']?.event_id ?? null,
            participated: thread.current_user_participated,
          },
  };
}

describe('what relates to events, against a model', function () {
  this.timeout(60_000);
  let world: SyncWorld;
  let people: readonly Person[];

  before(async () => {
    world = await openSyncWorld();
    people = [await world.person('alice'), await world.person('bob'), await world.person('carol')];
  });
  after(() => world.stop());

  async function check(
    all: readonly ModelEvent[],
    room: string,
    ignored: readonly Set<string>[],
  ): Promise<void> {
    for (const [index, person] of people.entries()) {
      const viewer = { userId: person.userId, ignored: ignored[index] ?? new Set<string>() };
      const { chunk } = await person.get(pathOf`/rooms/${room}/messages`, { dir: 'f', limit: 500 });
      const shown = new Map<string, Answer>(chunk.map((event: Answer) => [event.event_id, event]));
      for (const event of all.filter(({ roomId }) => roomId === room)) {
        const what = `${person.userId} ${event.eventId}`;
        const found = shown.get(event.eventId);
        expect(found === undefined, what).to.equal(viewer.ignored.has(event.sender));
        if (found !== undefined) expect(read(found), what).to.deep.equal(bundleOf(all, event, viewer));
      }
    }
    const [person] = people as [Person];
    for (const parent of all.filter(({ roomId }) => roomId === room).slice(-3)) {
      const children = all.filter(
        (event) =>
          event.roomId === room &&
          !event.isRedacted &&
          event.relation?.parentId === parent.eventId &&
          !(ignored[0] ?? new Set()).has(event.sender),
      );
      const found = idsOf(await relations(person, room, parent.eventId, '', { dir: 'f', limit: 200 }));
      expect(found).to.deep.equal(children.map(({ eventId }) => eventId));
    }
  }

  async function relate(all: ModelEvent[], rooms: readonly string[], chosen: Step): Promise<void> {
    const person = people[chosen.by] as Person;
    const parent = all[all.length - 1 - (chosen.target % Math.min(all.length, 12))] as ModelEvent;
    const roomId = rooms[chosen.isElsewhere === 0 ? 1 : 0] as string;
    const { relType, type } = chosen;
    const hasNewContent = relType === 'm.replace' && chosen.isWhole > 0;
    const content = {
      ...(relType === 'm.annotation'
        ? annotation(parent.eventId, 'key')
        : { 'm.relates_to': { rel_type: relType, event_id: parent.eventId } }),
      msgtype: 'm.text',
      body: 'x',
      ...(hasNewContent && { 'm.new_content': { body: 'y', msgtype: 'm.text' } }),
    };
    const isInThread = relType === 'm.thread' && !parent.isRedacted && parent.relation !== null;
    if (isInThread && parent.roomId === roomId) {
      expect(await refusalOf(person, roomId, type, content)).to.equal('400 M_UNKNOWN');
      return;
    }
    const isRepeated = all.some(
      (event) =>
        !event.isRedacted &&
        event.sender === person.userId &&
        event.type === type &&
        event.roomId === roomId &&
        event.relation?.relType === 'm.annotation' &&
        event.relation.parentId === parent.eventId,
    );
    if (relType === 'm.annotation' && isRepeated) {
      expect(await refusalOf(person, roomId, type, content)).to.equal('400 M_DUPLICATE_ANNOTATION');
      return;
    }
    const eventId = await send(person, roomId, type, content);
    const relation = { relType, parentId: parent.eventId };
    const ts = world.clock.now();
    all.push({
      eventId,
      roomId,
      sender: person.userId,
      type,
      ts,
      relation,
      hasNewContent,
      isRedacted: false,
    });
  }

  async function play(steps: readonly Step[]): Promise<void> {
    const [alice, bob, carol] = people as [Person, Person, Person];
    const rooms = [await alice.room(), await alice.room()] as const;
    for (const person of [bob, carol]) for (const room of rooms) await person.act('join', room);
    const ignored = people.map(() => new Set<string>());
    for (const person of people) await ignore(person);
    const all: ModelEvent[] = [];
    const say = async (person: Person, roomId: string, type: string): Promise<void> => {
      const eventId = await send(person, roomId, type, { msgtype: 'm.text', body: 'plain' });
      const ts = world.clock.now();
      all.push({
        eventId,
        roomId,
        sender: person.userId,
        type,
        ts,
        relation: null,
        hasNewContent: false,
        isRedacted: false,
      });
    };
    await say(alice, rooms[0], TYPES[0]);
    for (const chosen of steps) {
      const person = people[chosen.by] as Person;
      if (chosen.pass) await world.clock.advance(1);
      if (chosen.action === 'say') await say(person, rooms[0], chosen.type);
      if (chosen.action === 'relate') await relate(all, rooms, chosen);
      if (chosen.action === 'look') await check(all, rooms[0], ignored);
      if (chosen.action === 'redact') {
        const target = all[chosen.target % all.length] as ModelEvent;
        if (target.sender !== person.userId) continue;
        await redact(person, target.roomId, target.eventId);
        target.isRedacted = true;
      }
      if (chosen.action === 'ignore') {
        const others = people.filter(
          (other, index) => other !== person && (chosen.target >> index) % 3 === 0,
        );
        await ignore(person, ...others);
        ignored[chosen.by] = new Set(others.map(({ userId }) => userId));
      }
    }
    await check(all, rooms[0], ignored);
  }

  it('are summed up as the model does, whatever is sent, edited, redacted and ignored', async () => {
    // A failure prints the seed and the steps.
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: STEPS, maxLength: STEPS }), play), {
      seed: SEED,
      numRuns: RUNS,
      endOnFailure: true,
    });
  });
});
