import { expect } from 'chai';
import { defineQuery } from '../../../db/kit/query.ts';
import { step } from '../../../db/kit/write-set.ts';
import { leaveRoom, storeForeignRoom } from '../../../db/rooms/out-of-band-writer.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const ROOM = { roomNid: 1, roomId: '!room:other.example', roomVersion: '9', creator: '' };

const setVersion = defineQuery<{ readonly version: string | null }>({
  name: 'test.set-version',
  sql: 'UPDATE rooms SET room_version = :version',
});
const insertNameless = defineQuery<Record<string, never>>({
  name: 'test.insert-without-version',
  sql: `INSERT INTO rooms (room_nid, room_id, room_version, creator) VALUES (2, '!two:other.example', NULL, '')`,
});

describe('the version of a room', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ queries: [setVersion, insertNameless] });
    await database.write.write({ owner: 'rooms', steps: [storeForeignRoom(ROOM)] });
  });
  afterEach(() => database.close());

  const write = async (...steps: Parameters<typeof database.write.write>[0]['steps'][number][]) => {
    const set = { owner: 'test', steps };
    return database.write.write(set).catch((error: Error) => error);
  };

  it('8.7 is never null, and never another one', async () => {
    for (const version of ['10', null])
      expect(await write(step(setVersion, { version })), `${version}`).to.be.instanceOf(Error);
    expect(await write(step(insertNameless, {}))).to.be.instanceOf(Error);
    expect(await write(step(setVersion, { version: '9' }))).to.not.be.instanceOf(Error);
    expect((await findRoom(database.db, ROOM.roomId))?.roomVersion).to.equal('9');
  });

  it('8.4 8.8 is read without any actor, also of a room that was left, after a restart too', async () => {
    const steps = leaveRoom(ROOM, 0);
    const advance = { stream: 'events', count: 1 };
    expect((await database.write.write({ owner: 'rooms', advance, steps })).kind).to.equal('committed');
    expect((await findRoom(database.db, ROOM.roomId))?.roomVersion).to.equal('9');
    database.restart();
    expect((await findRoom(database.db, ROOM.roomId))?.roomVersion).to.equal('9');
    expect(await findRoom(database.db, '!unknown:other.example')).to.equal(undefined);
  });
});
