import { expect } from 'chai';
import type { JsonObject } from '../../../../src/kit/json.ts';
import {
  AUTH_EVENTS_MAX,
  checkPduFormat,
  isState,
  PREV_EVENTS_MAX,
} from '../../../../src/matrix/events/pdu.ts';
import type { Pdu } from '../../../../src/matrix/events/pdu.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';

const HASH_ROOM = '!Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg';

function pdu(id: string, change: Readonly<Record<string, unknown>> = {}): JsonObject {
  const edge = Number(id) <= 2 ? ['$p:b', { sha256: 'x' }] : '$p';
  const whole = {
    ...(Number(id) <= 2 ? { event_id: '$e:b' } : {}),
    type: 'm.room.message',
    sender: '@a:b',
    room_id: id === '12' ? HASH_ROOM : '!r:b',
    content: {},
    depth: 1,
    origin_server_ts: 1,
    prev_events: [edge],
    auth_events: [edge],
    hashes: { sha256: 'x' },
    signatures: { b: { 'ed25519:1': 'x' } },
    ...change,
  };
  return JSON.parse(JSON.stringify(whole)) as JsonObject;
}

interface FormatCase {
  readonly field: string;
  readonly value: unknown;
  /** The versions that refuse it; the others accept. */
  readonly refusedBy: readonly string[];
  readonly acceptedBy?: readonly string[];
}

const ALL = ['1', '3', '6', '11', '12'];
const CASES: readonly FormatCase[] = [
  { field: 'type', value: undefined, refusedBy: ALL },
  { field: 'type', value: 'x'.repeat(256), refusedBy: ALL },
  { field: 'state_key', value: 5, refusedBy: ALL },
  { field: 'state_key', value: 'é'.repeat(128), refusedBy: ALL },
  { field: 'state_key', value: '', refusedBy: [], acceptedBy: ALL },
  { field: 'sender', value: 'a:b', refusedBy: ALL },
  { field: 'sender', value: '@Historical User:b', refusedBy: [], acceptedBy: ALL },
  { field: 'event_id', value: undefined, refusedBy: ['1'], acceptedBy: ['3', '12'] },
  { field: 'event_id', value: '$nodomain', refusedBy: ['1'] },
  { field: 'room_id', value: undefined, refusedBy: ALL },
  { field: 'room_id', value: '!r:b', refusedBy: ['12'], acceptedBy: ['1', '11'] },
  { field: 'room_id', value: HASH_ROOM, refusedBy: ['1', '11'], acceptedBy: ['12'] },
  { field: 'depth', value: -1, refusedBy: ALL },
  { field: 'depth', value: '1', refusedBy: ALL },
  { field: 'depth', value: 2 ** 60, refusedBy: ['6', '12'], acceptedBy: ['1', '3'] },
  { field: 'depth', value: 2 ** 64, refusedBy: ALL },
  { field: 'origin_server_ts', value: 'now', refusedBy: ALL },
  { field: 'content', value: [], refusedBy: ALL },
  { field: 'content', value: { level: 1.5 }, refusedBy: ['6', '12'], acceptedBy: ['1', '3'] },
  { field: 'hashes', value: {}, refusedBy: ALL },
  { field: 'signatures', value: { b: 'x' }, refusedBy: ALL },
  { field: 'signatures', value: { b: { k: 1 } }, refusedBy: ALL },
  { field: 'unsigned', value: 'x', refusedBy: ALL },
  { field: 'redacts', value: 1, refusedBy: ALL },
  { field: 'prev_events', value: 'x', refusedBy: ALL },
  { field: 'prev_events', value: ['$p'], refusedBy: ['1'], acceptedBy: ['3'] },
  { field: 'prev_events', value: [['$p', {}]], refusedBy: ['3', '12'], acceptedBy: ['1'] },
  {
    field: 'prev_events',
    value: Array.from({ length: PREV_EVENTS_MAX }, () => '$p'),
    refusedBy: [],
    acceptedBy: ['12'],
  },
  { field: 'prev_events', value: Array.from({ length: PREV_EVENTS_MAX + 1 }, () => '$p'), refusedBy: ['12'] },
  {
    field: 'auth_events',
    value: Array.from({ length: AUTH_EVENTS_MAX }, () => '$p'),
    refusedBy: [],
    acceptedBy: ['12'],
  },
  { field: 'auth_events', value: Array.from({ length: AUTH_EVENTS_MAX + 1 }, () => '$p'), refusedBy: ['12'] },
];

describe('format of PDUs', () => {
  for (const id of ALL) {
    it(`of room version ${id} is accepted`, () => {
      expect(checkPduFormat(getRoomVersion(id), pdu(id))).to.equal(null);
    });
  }

  for (const { field, value, refusedBy, acceptedBy = [] } of CASES) {
    const shown = JSON.stringify(value)?.slice(0, 30) ?? 'nothing';
    it(`with ${field} ${shown}: refused by ${refusedBy.join(', ') || 'none'}`, () => {
      for (const id of refusedBy) {
        const refusal = checkPduFormat(getRoomVersion(id), pdu(id, { [field]: value }));
        expect(refusal, id).to.include({ kind: 'refused', errcode: 'M_BAD_JSON' });
        if (!isFraction(value)) expect(refusal?.error, id).to.include(field);
      }
      for (const id of acceptedBy) {
        expect(checkPduFormat(getRoomVersion(id), pdu(id, { [field]: value })), id).to.equal(null);
      }
    });
  }

  it('of a create event has no room id in room version 12', () => {
    const create = { type: 'm.room.create', state_key: '', room_id: undefined };
    expect(checkPduFormat(getRoomVersion('12'), pdu('12', create))).to.equal(null);
    expect(checkPduFormat(getRoomVersion('11'), pdu('11', create))).to.include({ errcode: 'M_BAD_JSON' });
  });

  it('has a largest size', () => {
    const large = pdu('12', { content: { body: 'x'.repeat(65_536) } });
    expect(checkPduFormat(getRoomVersion('12'), large)).to.include({ errcode: 'M_TOO_LARGE', status: 413 });
  });

  it('has a state key exactly for state', () => {
    expect(isState(pdu('12', { state_key: '' }) as Pdu)).to.equal(true);
    expect(isState(pdu('12') as Pdu)).to.equal(false);
  });
});

function isFraction(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'level' in value;
}
