import { expect } from 'chai';
import type { EventsRow } from '../../../db/rooms/stream-reader.ts';
import { eventsStream } from '../../../src/streams/events-stream.ts';

const message: EventsRow = {
  kind: 'event',
  eventId: '$m',
  roomId: '!r',
  type: 'm.room.message',
  stateKey: null,
  sender: '@a:x',
  membership: null,
  redacts: null,
};
const join: EventsRow = {
  ...message,
  eventId: '$j',
  type: 'm.room.member',
  stateKey: '@b:x',
  membership: 'join',
};

describe('events stream', () => {
  it('a message wakes its room and makes nothing untrue', () => {
    expect(eventsStream.wakes(message)).to.deep.equal(['room:!r']);
    expect(eventsStream.invalidates(message)).to.deep.equal([]);
  });

  it('6.2 a member event wakes its user too, and carries both facts that it makes untrue', () => {
    expect(eventsStream.wakes(join)).to.deep.equal(['room:!r', 'user:@b:x']);
    expect(eventsStream.invalidates(join)).to.deep.equal([
      { fact: 'room-state', roomId: '!r', type: 'm.room.member', stateKey: '@b:x' },
      { fact: 'membership', roomId: '!r', userId: '@b:x' },
    ]);
  });

  it('6.4 a change of state without an event of the timeline invalidates and wakes as well', () => {
    const topic: EventsRow = {
      kind: 'state',
      roomId: '!r',
      type: 'm.room.topic',
      stateKey: '',
      eventId: null,
      membership: null,
    };
    expect(eventsStream.wakes(topic)).to.deep.equal(['room:!r']);
    expect(eventsStream.invalidates(topic)).to.deep.equal([
      { fact: 'room-state', roomId: '!r', type: 'm.room.topic', stateKey: '' },
    ]);
  });

  it('6.4 a member that state resolution removed is told, and is no member in any cache', () => {
    const removed: EventsRow = {
      kind: 'state',
      roomId: '!r',
      type: 'm.room.member',
      stateKey: '@b:x',
      eventId: null,
      membership: null,
    };
    expect(eventsStream.wakes(removed)).to.include('user:@b:x');
    expect(eventsStream.invalidates(removed)).to.deep.include({
      fact: 'membership',
      roomId: '!r',
      userId: '@b:x',
    });
  });

  it('a redaction makes what it redacts read differently', () => {
    expect(eventsStream.invalidates({ ...message, type: 'm.room.redaction', redacts: '$old' })).to.deep.equal(
      [{ fact: 'event', roomId: '!r', eventId: '$old' }],
    );
  });

  for (const change of ['left', 'joined'] as const)
    it(`5.1 5.4 a room that this server has ${change} is woken, and what is known of its state forgotten`, () => {
      const row: EventsRow = { kind: 'room', roomId: '!r', change };
      expect(eventsStream.wakes(row)).to.deep.equal(['room:!r']);
      expect(eventsStream.invalidates(row)).to.deep.equal([
        { fact: 'room-changed', roomId: '!r', members: [] },
      ]);
    });
});
