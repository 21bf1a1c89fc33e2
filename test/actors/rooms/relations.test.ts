import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { DB_FOLDER } from '../../../db/kit/migrator.ts';
import { openWriteConnection } from '../../../db/kit/sqlite.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { checkRelations } from './check-relations.ts';
import { DAVE, message, openReceiveWorld, type ReceiveWorld } from './receive-world.ts';
import { ALICE, BOB, refused, sent } from './rooms-house.ts';
import { purge } from './purge-world.ts';

const POSITION_MAX = Number.MAX_SAFE_INTEGER;
/** What the migration fills the table with. */
const FILL = /INSERT INTO event_relations[\s\S]*?;/;

const relatesTo = (eventId: string, relType = 'm.reference'): JsonObject => ({
  body: 'x',
  'm.relates_to': { rel_type: relType, event_id: eventId, key: 'k' },
});

describe('the index of what relates to events', () => {
  let world: ReceiveWorld;
  beforeEach(async () => {
    world = await openReceiveWorld();
  });
  afterEach(async () => {
    await world.close();
  });

  async function send(content: JsonObject, type = 'm.room.message'): Promise<string> {
    const event = { type, content };
    const input = { roomId: world.roomId, sender: BOB, event, transaction: null, originServerTs: null };
    return sent(await world.house.rooms.ask('rooms.send-event', input)).eventId;
  }
  async function redact(eventId: string): Promise<void> {
    const input = { roomId: world.roomId, sender: ALICE, eventId, content: {}, transaction: null };
    sent(await world.house.rooms.ask('rooms.redact-event', input));
  }
  const count = (): Promise<number> => checkRelations(world.house.database.db, world.roomId);

  /** What every row was published with is what it is read with later. */
  async function checkRows(): Promise<void> {
    await world.house.idle();
    const { rows } = await readEventRows(world.house.database.db, 0, POSITION_MAX, 10_000);
    const read = new Map(rows.map(({ position, row }) => [position, row]));
    for (const { position, row } of world.house.rows)
      if (row.kind === 'event' && row.roomId === world.roomId)
        expect([...('parents' in row ? (row.parents ?? []) : [])]).to.deep.equal(
          parentsOf(read.get(position)),
        );
  }
  function parentsOf(row: object | undefined): readonly string[] {
    return row !== undefined && 'parents' in row ? (row.parents as string[]) : [];
  }

  it('has what is sent, but for what is not of the right shape, and nothing that was redacted', async () => {
    const parent = await send({ body: 'parent' });
    const child = await send(relatesTo(parent));
    await send(relatesTo('$unknown'), 'm.room.encrypted');
    for (const wrong of [
      null,
      [],
      'x',
      {},
      { rel_type: 'm.thread' },
      { event_id: parent },
      { rel_type: 1, event_id: parent },
      { rel_type: 'm.thread', event_id: { a: 1 } },
      { 'm.in_reply_to': { event_id: parent } },
    ])
      await send({ body: 'x', 'm.relates_to': wrong });
    expect(await count()).to.equal(2);
    await redact(child);
    expect(await count()).to.equal(1);
    await redact(parent);
    expect(await count()).to.equal(1);
    await checkRows();
  });

  it('has one annotation of a kind, when several are on their way at one moment', async () => {
    const parent = await send({ body: 'parent' });
    const event = { type: 'm.reaction', content: relatesTo(parent, 'm.annotation') };
    const input = { roomId: world.roomId, sender: BOB, event, transaction: null, originServerTs: null };
    const replies = await Promise.all(
      Array.from({ length: 4 }, () => world.house.rooms.ask('rooms.send-event', input)),
    );
    expect(replies.map(({ kind }) => kind)).to.deep.equal(['sent', 'refused', 'refused', 'refused']);
    expect(refused(replies[1] as (typeof replies)[0])).to.include('M_DUPLICATE_ANNOTATION');
    expect(await count()).to.equal(1);
  });

  it('has what other servers send, in line or late, and nothing whose redaction came first', async () => {
    const { foreign } = world;
    const linear = foreign.add({ ...message(DAVE, 'x'), content: relatesTo('$one') });
    const branch = foreign.add({
      ...message(DAVE, 'x'),
      content: relatesTo('$two'),
      prev: [world.dave.eventId],
    });
    expect(await world.giveAll(linear, branch)).to.deep.equal(['accepted', 'accepted']);
    expect(await count()).to.equal(2);
    const target = foreign.add({ ...message(DAVE, 'x'), content: relatesTo('$three') });
    const redaction = foreign.add({ sender: DAVE, type: 'm.room.redaction', redacts: target.eventId });
    expect(await world.giveAll(target, redaction)).to.deep.equal(['accepted', 'accepted']);
    expect(await count()).to.equal(2);
    const late = foreign.add({
      ...message(DAVE, 'x'),
      content: relatesTo('$four'),
      prev: [world.dave.eventId],
    });
    const early = foreign.add({
      sender: DAVE,
      type: 'm.room.redaction',
      redacts: late.eventId,
      prev: [world.dave.eventId],
      content: { redacts: late.eventId, ...relatesTo('$five') },
    });
    expect((await world.give(early)).kind).to.equal('held');
    expect(await count()).to.equal(2);
    expect((await world.give(late)).kind).to.equal('accepted');
    // The redaction itself is seen now, and relates to something.
    expect(await count()).to.equal(3);
    await checkRows();
  });

  it('keeps nothing of what a purge takes', async () => {
    const parent = await send({ body: 'parent' });
    for (let at = 0; at < 5; at += 1) await send(relatesTo(parent));
    const last = await send(relatesTo(parent));
    expect(await count()).to.equal(6);
    await purge(world.house, { roomId: world.roomId, beforeEventId: last });
    expect(await count()).to.equal(1);
  });

  it('is made of the events of an older database as it is made of new ones', async () => {
    const parent = await send({ body: 'parent' });
    await redact(await send(relatesTo(parent)));
    for (const relType of ['m.thread', 'm.annotation', 'org.example']) await send(relatesTo(parent, relType));
    await send({ body: 'x', 'm.relates_to': { rel_type: 'm.thread', event_id: 1 } });
    const sql = readFileSync(`${DB_FOLDER}/rooms/migrations/0010-relations-between-events.sql`, 'utf8');
    const [fill = ''] = FILL.exec(sql) ?? [];
    await world.house.idle();
    const connection = openWriteConnection(world.house.database.path);
    connection.exec(`DELETE FROM event_relations; ${fill}`);
    connection.close();
    expect(await count()).to.equal(3);
  });
});
