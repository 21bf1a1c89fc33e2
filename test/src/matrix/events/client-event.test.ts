import { expect } from 'chai';
import {
  assembleClientEvent,
  clientEventCore,
  toClientEvent,
} from '../../../../src/matrix/events/client-event.ts';
import type { Pdu } from '../../../../src/matrix/events/pdu.ts';
import { STRIPPED_STATE_TYPES, toStrippedState } from '../../../../src/matrix/events/stripped-state.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';

const pdu: Pdu = {
  type: 'm.room.name',
  state_key: '',
  sender: '@a:b',
  room_id: '!r:b',
  content: { name: 'Name' },
  depth: 4,
  origin_server_ts: 12,
  prev_events: ['$p'],
  auth_events: ['$q'],
  hashes: { sha256: 'x' },
  signatures: { b: { 'ed25519:1': 'x' } },
  unsigned: { age_ts: 5 },
};
const version = getRoomVersion('10');

describe('client events', () => {
  it('have what clients get, and nothing of the federation', () => {
    expect(toClientEvent(version, '$e', '!r:b', pdu, { includeRoomId: true })).to.deep.equal({
      content: { name: 'Name' },
      event_id: '$e',
      origin_server_ts: 12,
      room_id: '!r:b',
      sender: '@a:b',
      state_key: '',
      type: 'm.room.name',
    });
  });

  it('have no state key and no room id where there is none', () => {
    const { state_key: _, ...message } = pdu;
    const event = toClientEvent(version, '$e', '!r:b', message, { includeRoomId: false });
    expect(event).to.have.all.keys('content', 'event_id', 'origin_server_ts', 'sender', 'type');
  });

  it('carry what the server adds', () => {
    const event = toClientEvent(version, '$e', '!r:b', pdu, {
      includeRoomId: false,
      ageMs: 0,
      membership: 'leave',
      prevContent: { name: 'Old' },
      replacesState: '$old',
      transactionId: 'txn',
    });
    expect(event['unsigned']).to.deep.equal({
      age: 0,
      membership: 'leave',
      prev_content: { name: 'Old' },
      replaces_state: '$old',
      transaction_id: 'txn',
    });
  });

  it('are redacted when there is a redaction', () => {
    const because = { type: 'm.room.redaction', event_id: '$r' };
    const event = toClientEvent(version, '$e', '!r:b', pdu, {
      includeRoomId: false,
      redactedBecause: because,
    });
    expect(event['content']).to.deep.equal({});
    expect(event['unsigned']).to.deep.equal({ redacted_because: because });
  });

  for (const [id, redaction] of [
    ['10', { redacts: '$x', content: { reason: 'r' } }],
    ['11', { content: { reason: 'r', redacts: '$x' } }],
  ] as const) {
    it(`name the target of a redaction in both places, in room version ${id}`, () => {
      const { state_key: _, ...rest } = pdu;
      const event = toClientEvent(
        getRoomVersion(id),
        '$e',
        '!r:b',
        { ...rest, type: 'm.room.redaction', ...redaction },
        { includeRoomId: false },
      );
      expect(event['redacts']).to.equal('$x');
      expect(event['content']).to.deep.equal({ reason: 'r', redacts: '$x' });
    });
  }

  it('are the same as text put together from parts', () => {
    const unsigned = { ageMs: 5, transactionId: 'a"b', redactedBecause: { x: 1 } };
    for (const roomId of ['!r:b', null]) {
      for (const extra of [{}, { ageMs: 5 }, unsigned]) {
        const isRedacted = 'redactedBecause' in extra;
        const text = assembleClientEvent(clientEventCore(version, '$e', pdu, isRedacted), roomId, extra);
        const options = { includeRoomId: roomId !== null, ...extra };
        expect(JSON.parse(text)).to.deep.equal(toClientEvent(version, '$e', '!r:b', pdu, options));
      }
    }
  });
});

describe('stripped state', () => {
  it('has four keys', () => {
    expect(toStrippedState(pdu)).to.deep.equal({
      content: { name: 'Name' },
      sender: '@a:b',
      state_key: '',
      type: 'm.room.name',
    });
  });

  it('begins with the create event', () => {
    expect(STRIPPED_STATE_TYPES[0]).to.equal('m.room.create');
    expect(STRIPPED_STATE_TYPES).to.have.lengthOf(7);
  });
});
