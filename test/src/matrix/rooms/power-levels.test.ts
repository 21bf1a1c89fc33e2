import { expect } from 'chai';
import type { JsonObject } from '../../../../src/kit/json.ts';
import { parseLevel, powerLevels } from '../../../../src/matrix/rooms/power-levels.ts';
import type { PowerLevels } from '../../../../src/matrix/rooms/power-levels.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../../src/matrix/rooms/room-versions.ts';
import { readVectors } from '../vectors/read-vectors.ts';
import { makeRoom } from './auth-room.ts';

const vectors = readVectors('power-levels-values') as {
  readonly string_ok_in_v1_to_v9: readonly (readonly [string, number])[];
  readonly string_rejected_always: readonly string[];
  readonly float_ok_in_v1_to_v5: readonly (readonly [string, number])[];
  readonly float_rejected_always: readonly string[];
};

const upTo = (last: number): readonly string[] =>
  ROOM_VERSIONS.map(({ id }) => id).filter((id) => Number(id) <= last);
const after = (last: number): readonly string[] =>
  ROOM_VERSIONS.map(({ id }) => id).filter((id) => Number(id) > last);

describe('values of power levels', () => {
  for (const [text, level] of vectors.string_ok_in_v1_to_v9) {
    it(`${JSON.stringify(text)} is ${level} up to room version 9`, () => {
      for (const id of upTo(9)) expect(parseLevel(getRoomVersion(id), text), id).to.equal(level);
      for (const id of after(9)) expect(parseLevel(getRoomVersion(id), text), id).to.equal(undefined);
    });
  }

  for (const text of [...vectors.string_rejected_always, ...vectors.float_rejected_always]) {
    it(`${JSON.stringify(text)} is never a level`, () => {
      for (const version of ROOM_VERSIONS) expect(parseLevel(version, text)).to.equal(undefined);
    });
  }

  for (const [json, level] of vectors.float_ok_in_v1_to_v5) {
    const value = Number(json);
    if (Number.isInteger(value)) continue;
    it(`the fraction ${json} is ${level} up to room version 5`, () => {
      for (const id of upTo(5)) expect(parseLevel(getRoomVersion(id), value), id).to.equal(level);
      for (const id of after(5)) expect(parseLevel(getRoomVersion(id), value), id).to.equal(undefined);
    });
  }

  it('infinite numbers, and what is no number, are never levels', () => {
    for (const value of [Infinity, NaN, null, true, [], {}, undefined]) {
      for (const version of ROOM_VERSIONS)
        expect(parseLevel(version, value), JSON.stringify(value)).to.equal(undefined);
    }
  });
});

function levelsOf(id: string, content: JsonObject | null, creationContent: JsonObject = {}): PowerLevels {
  const room = makeRoom(id, { levels: content, creationContent });
  return powerLevels(room.version, room.create.pdu, room.state.find('m.room.power_levels', ''));
}

describe('power levels', () => {
  it('have defaults without an event', () => {
    for (const { id } of ROOM_VERSIONS) {
      const levels = levelsOf(id, null);
      expect(levels.ofUser('@alice:a'), id).to.equal(id === '12' ? Infinity : 100);
      expect(levels.ofUser('@user:b'), id).to.equal(0);
      expect(levels).to.include({ invite: 0, kick: 50, ban: 50, redact: 50 });
      expect(levels.forEvent('x', true)).to.equal(50);
      expect(levels.forEvent('x', false)).to.equal(0);
      expect(levels.forNotification('room')).to.equal(50);
    }
  });

  it('have defaults for what the event leaves out: then the creator of old rooms is nobody', () => {
    const levels = levelsOf('11', { users: {} });
    expect(levels.ofUser('@alice:a')).to.equal(0);
    expect(levels).to.include({ invite: 0, kick: 50, ban: 50, redact: 50 });
    expect(levels.forEvent('x', true)).to.equal(50);
  });

  it('are what the event says', () => {
    const levels = levelsOf('10', {
      users: { '@user:b': 7 },
      users_default: 1,
      events: { x: 3 },
      events_default: 2,
      state_default: 4,
      notifications: { room: 6 },
      invite: 10,
      kick: 11,
      ban: 12,
      redact: 13,
    });
    expect(levels.ofUser('@user:b')).to.equal(7);
    expect(levels.ofUser('@other:b')).to.equal(1);
    expect(levels.forEvent('x', true)).to.equal(3);
    expect(levels.forEvent('y', true)).to.equal(4);
    expect(levels.forEvent('y', false)).to.equal(2);
    expect(levels.forNotification('room')).to.equal(6);
    expect(levels.forNotification('other')).to.equal(50);
    expect(levels).to.include({ invite: 10, kick: 11, ban: 12, redact: 13 });
  });

  it('take no names from the prototype of objects', () => {
    const levels = levelsOf('12', { users: {}, events: {} });
    expect(levels.ofUser('constructor')).to.equal(0);
    expect(levels.forEvent('toString', false)).to.equal(0);
  });

  it('count as absent what is not a level', () => {
    const levels = levelsOf('9', { users: { '@user:b': 'high' }, ban: [], events: 'x' });
    expect(levels.ofUser('@user:b')).to.equal(0);
    expect(levels.ban).to.equal(50);
  });

  it('are infinite for the creators of room version 12, whatever the event says', () => {
    const creation = { additional_creators: ['@user:b', 5] };
    for (const content of [null, { users: { '@user:b': 1 } }]) {
      const levels = levelsOf('12', content, creation);
      expect(levels.ofUser('@alice:a')).to.equal(Infinity);
      expect(levels.ofUser('@user:b')).to.equal(Infinity);
      expect(levels.ofUser('@mod:a')).to.equal(0);
    }
    expect(levelsOf('11', null, creation).ofUser('@user:b')).to.equal(0);
  });

  it('are those of content.creator up to room version 10, of the sender in 11', () => {
    expect(levelsOf('10', null, { creator: '@user:b' }).ofUser('@user:b')).to.equal(100);
    expect(levelsOf('10', null, { creator: '@user:b' }).ofUser('@alice:a')).to.equal(0);
    expect(levelsOf('11', null, { creator: '@user:b' }).ofUser('@alice:a')).to.equal(100);
  });

  it('are read once for each event', () => {
    const room = makeRoom('12');
    const event = room.state.find('m.room.power_levels', '');
    const levels = powerLevels(room.version, room.create.pdu, event);
    expect(powerLevels(room.version, room.create.pdu, event)).to.equal(levels);
    expect(powerLevels(room.version, room.create.pdu, undefined)).not.to.equal(levels);
    expect(powerLevels(room.version, room.create.pdu, structuredClone(event))).not.to.equal(levels);
  });
});
