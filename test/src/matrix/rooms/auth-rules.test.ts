import { expect } from 'chai';
import type { ProtoPdu } from '../../../../src/matrix/events/pdu.ts';
import { authorise } from '../../../../src/matrix/rooms/auth-rules.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import { buildCreate, everywhere, makeRoom } from './auth-room.ts';
import type { AuthCase } from './auth-room.ts';

const CASES: readonly AuthCase[] = [
  { name: 'a message of a member', ask: {}, expected: everywhere('ok') },
  {
    name: 'a message of who is not in the room',
    ask: { sender: '@nobody:c' },
    expected: { '1': '6', '5': '6', '6': '5', '11': '5', '12': '6' },
  },
  {
    name: 'a message of who was invited',
    ask: { sender: '@invited:b' },
    expected: { '1': '6', '6': '5', '12': '6' },
  },
  {
    name: 'a message of who is banned',
    ask: { sender: '@banned:b' },
    expected: { '1': '6', '6': '5', '12': '6' },
  },
  {
    name: 'a message below the level of events_default',
    room: { levels: { events_default: 1 } },
    ask: {},
    expected: { '1': '8', '5': '8', '6': '7', '11': '7', '12': '8' },
  },
  {
    name: 'a message below the level of its type',
    room: { levels: { events: { 'm.room.message': 10 } } },
    ask: {},
    expected: { '1': '8', '6': '7', '12': '8' },
  },
  {
    name: 'state below state_default',
    ask: { type: 'm.room.name', stateKey: '' },
    expected: { '1': '8', '6': '7', '12': '8' },
  },
  {
    name: 'state at state_default',
    ask: { type: 'm.room.name', stateKey: '', sender: '@mod:a' },
    expected: everywhere('ok'),
  },
  {
    name: 'state of a type that is allowed to all',
    room: { levels: { events: { 'm.room.name': 0 } } },
    ask: { type: 'm.room.name', stateKey: '' },
    expected: everywhere('ok'),
  },
  {
    name: 'the own state key',
    ask: { type: 'x.own', stateKey: '@mod:a', sender: '@mod:a' },
    expected: everywhere('ok'),
  },
  {
    name: "another user's state key",
    ask: { type: 'x.own', stateKey: '@user:b', sender: '@alice:a' },
    expected: { '1': '9', '5': '9', '6': '8', '11': '8', '12': '9' },
  },
  {
    name: 'a sender of another server where m.federate is false',
    room: { creationContent: { 'm.federate': false } },
    ask: {},
    expected: { '1': '3', '5': '3', '6': '3', '11': '3', '12': '4' },
  },
  {
    name: 'a sender of the own server where m.federate is false',
    room: { creationContent: { 'm.federate': false } },
    ask: { sender: '@mod:a' },
    expected: everywhere('ok'),
  },
  {
    name: 'a sender of a server whose name ends like the own where m.federate is false',
    room: { creationContent: { 'm.federate': false } },
    ask: { sender: '@x:evil.a' },
    expected: { '11': '3', '12': '4' },
  },
  {
    name: 'aliases of the own server, without any level',
    ask: { type: 'm.room.aliases', stateKey: 'b', sender: '@nobody:b' },
    expected: { '1': 'ok', '5': 'ok', '6': '5', '12': '6' },
  },
  {
    name: 'aliases of another server',
    ask: { type: 'm.room.aliases', stateKey: 'c' },
    expected: { '1': '4.2', '5': '4.2', '6': '7', '12': '8' },
  },
  {
    name: 'aliases without a state key',
    ask: { type: 'm.room.aliases' },
    expected: { '1': '4.1', '5': '4.1', '6': 'ok', '12': 'ok' },
  },
  {
    name: 'a third-party invite below the invite level',
    room: { levels: { invite: 50 } },
    ask: { type: 'm.room.third_party_invite', stateKey: 'token' },
    expected: { '1': '7.1', '5': '7.1', '6': '6.1', '11': '6.1', '12': '7.1' },
  },
  {
    name: 'a third-party invite at the invite level, though state takes more',
    ask: { type: 'm.room.third_party_invite', stateKey: 'token' },
    expected: everywhere('ok'),
  },
  {
    name: 'a redaction of an event of another server below the redact level',
    ask: { type: 'm.room.redaction', redacts: '$x:a', eventId: '$y:b' },
    expected: { '1': '11.3', '2': '11.3', '3': 'ok', '11': 'ok', '12': 'ok' },
  },
  {
    name: 'a redaction of an event of the own server below the redact level',
    ask: { type: 'm.room.redaction', redacts: '$x:b', eventId: '$y:b' },
    expected: { '1': 'ok', '2': 'ok' },
  },
  {
    name: "a redaction of an event of the sender's server, with an id of another",
    ask: { type: 'm.room.redaction', redacts: '$x:b', eventId: '$y:c' },
    expected: { '1': '11.3', '2': '11.3' },
  },
  {
    name: 'a redaction that has no id yet',
    ask: { type: 'm.room.redaction', redacts: '$x:b' },
    expected: { '1': 'ok' },
  },
  {
    name: 'a redaction without a target',
    ask: { type: 'm.room.redaction', eventId: '$y:b' },
    expected: { '1': '11.3' },
  },
  {
    name: 'a redaction at the redact level',
    ask: { type: 'm.room.redaction', redacts: '$x:b', eventId: '$y:a', sender: '@mod:a' },
    expected: { '1': 'ok', '2': 'ok' },
  },
  {
    name: 'a redaction below the level of its type',
    room: { levels: { events: { 'm.room.redaction': 50 } } },
    ask: { type: 'm.room.redaction' },
    expected: { '3': '8', '6': '7', '12': '8' },
  },
  {
    name: 'state of the creator in a room without power levels',
    room: { levels: null },
    ask: { type: 'm.room.name', stateKey: '', sender: '@alice:a' },
    expected: everywhere('ok'),
  },
  {
    name: 'state of another in a room without power levels',
    room: { levels: null },
    ask: { type: 'm.room.name', stateKey: '', sender: '@mod:a' },
    expected: { '1': '8', '6': '7', '12': '8' },
  },
  {
    name: 'state of an additional creator above every level',
    room: { creationContent: { additional_creators: ['@user:b'] }, levels: { state_default: 1_000_000 } },
    ask: { type: 'm.room.name', stateKey: '' },
    expected: { '11': '7', '12': 'ok' },
  },
  {
    name: 'state of the creator above 100',
    room: { levels: { events: { 'm.room.tombstone': 150 } } },
    ask: { type: 'm.room.tombstone', stateKey: '', sender: '@alice:a' },
    expected: { '11': '7', '12': 'ok' },
  },
];

describe('authorisation rules', () => {
  for (const { name, room, ask, expected } of CASES) {
    for (const [id, rule] of Object.entries(expected)) {
      it(`version ${id}: ${name}: ${rule}`, () => {
        expect(makeRoom(id, room).ask(ask)).to.equal(rule);
      });
    }
  }

  for (const [id, rule] of Object.entries({ '1': '2.4', '11': '2.4', '12': '2' })) {
    it(`version ${id}: a room without a create event: ${rule}`, () => {
      const room = makeRoom(id);
      const subject = { roomId: room.create.roomId, pdu: room.event({}) };
      expect(authorise(room.version, subject, { find: () => undefined })).to.include({
        allowed: false,
        rule,
      });
    });
  }

  it('version 12: a room id that is not that of the create event: 2', () => {
    const room = makeRoom('12');
    const subject = { roomId: `!${'x'.repeat(43)}`, pdu: room.event({}) };
    expect(authorise(room.version, subject, room.state)).to.include({ allowed: false, rule: '2' });
  });
});

describe('authorisation of create events', () => {
  const nothing = { find: () => undefined };
  const cases: readonly {
    readonly name: string;
    readonly change: Readonly<Record<string, unknown>>;
    readonly expected: Readonly<Record<string, string>>;
  }[] = [
    { name: 'the usual one', change: {}, expected: everywhere('ok') },
    { name: 'with prev_events', change: { prev_events: ['$x'] }, expected: everywhere('1.1') },
    {
      name: 'with a room id of another server',
      change: { room_id: '!room:b' },
      expected: { '1': '1.2', '10': '1.2', '11': '1.2', '12': '1.2' },
    },
    {
      name: 'with a room id of the own server',
      change: { room_id: '!room:a' },
      expected: { '11': 'ok', '12': '1.2' },
    },
    { name: 'without a room id', change: { room_id: undefined }, expected: { '11': '1.2', '12': 'ok' } },
    {
      name: 'of an unknown room version',
      change: { content: { room_version: 'x.unknown', creator: '@alice:a' } },
      expected: everywhere('1.3'),
    },
    {
      name: 'of a room version that is no text',
      change: { content: { room_version: 1 } },
      expected: { '12': '1.3' },
    },
    {
      name: 'without a creator',
      change: { content: {} },
      expected: { '1': '1.4', '10': '1.4', '11': 'ok', '12': 'ok' },
    },
    {
      name: 'with additional creators',
      change: { content: { additional_creators: ['@b:c', '@D:e'] } },
      expected: { '11': 'ok', '12': 'ok' },
    },
    {
      name: 'with additional creators that are no list',
      change: { content: { additional_creators: '@b:c' } },
      expected: { '11': 'ok', '12': '1.4' },
    },
    {
      name: 'with an additional creator that is no user id',
      change: { content: { additional_creators: ['@b:c', 'd'] } },
      expected: { '12': '1.4' },
    },
    {
      name: 'with an additional creator that is no text',
      change: { content: { additional_creators: [null] } },
      expected: { '12': '1.4' },
    },
  ];
  for (const { name, change, expected } of cases) {
    for (const [id, rule] of Object.entries(expected)) {
      it(`version ${id}: ${name}: ${rule}`, () => {
        const version = getRoomVersion(id);
        const create = buildCreate(version);
        const pdu = { ...create.pdu, ...change } as ProtoPdu;
        const decision = authorise(version, { roomId: create.roomId, pdu }, nothing);
        expect(decision.allowed ? 'ok' : decision.rule).to.equal(rule);
      });
    }
  }
});
