import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../../../src/kit/json.ts';
import { buildEvent } from '../../../../src/matrix/events/build-event.ts';
import type { BuildEventInput, BuiltEvent } from '../../../../src/matrix/events/build-event.ts';
import { canonicalJson } from '../../../../src/matrix/events/canonical-json.ts';
import { eventIdOf } from '../../../../src/matrix/events/event-id.ts';
import { verifyEvent } from '../../../../src/matrix/events/event-signatures.ts';
import { hasValidContentHash, referenceHash } from '../../../../src/matrix/events/hashes.ts';
import { toShownEvent } from '../../../../src/matrix/events/client-event.ts';
import { redact } from '../../../../src/matrix/events/redaction.ts';
import { checkPduFormat, edgeIds, PDU_BYTES_MAX, redactsOf } from '../../../../src/matrix/events/pdu.ts';
import { isRefusal } from '../../../../src/matrix/refusal.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, verifyKeyOf } from '../../../../src/matrix/signing.ts';

const key = makeServerKey(new Uint8Array(32).fill(5), 'abc');
const signer = { serverName: 'example.org', key };
const HASH = 'Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg';

function inputFor(id: string, change: Partial<BuildEventInput> = {}): BuildEventInput {
  const version = getRoomVersion(id);
  return {
    version,
    roomId: version.roomIdFormat === 'create-event' ? `!${HASH}` : '!room:example.org',
    sender: '@alice:example.org',
    type: 'm.room.message',
    content: { body: 'text', 'b"\\': [1, { z: null, a: 'é\u0001' }] },
    prevEvents: [{ eventId: '$one:example.org', sha256: 'aaaa' }],
    authEvents: [
      { eventId: '$two:example.org', sha256: 'bbbb' },
      { eventId: '$three:example.org', sha256: 'cccc' },
    ],
    depth: 7,
    originServerTs: 1_700_000_000_000,
    eventIdLocalpart: 'chosen',
    ...change,
  };
}

function build(input: BuildEventInput): BuiltEvent {
  const built = buildEvent(input, signer);
  if (isRefusal(built)) throw new Error(built.error);
  return built;
}

/** All that must be true of every event that we make. */
function checkBuilt(input: BuildEventInput, built: BuiltEvent): void {
  const { version } = input;
  const mode = version.strictCanonicalJson ? 'strict' : 'lenient';
  expect(canonicalJson(built.pdu, mode)).to.equal(built.json);
  expect(JSON.parse(built.json)).to.deep.equal(JSON.parse(JSON.stringify(built.pdu)));
  expect(hasValidContentHash(version, built.pdu)).to.equal(true);
  expect(verifyEvent(version, built.pdu, 'example.org', verifyKeyOf(key))).to.equal(true);
  expect(eventIdOf(version, built.pdu)).to.equal(built.eventId);
  expect(referenceHash(version, built.pdu)).to.equal(built.sha256);
  expect(checkPduFormat(version, built.pdu)).to.equal(null);
}

describe('buildEvent', () => {
  for (const { id } of ROOM_VERSIONS) {
    it(`makes messages, state and redactions of room version ${id}`, () => {
      const shapes: readonly Partial<BuildEventInput>[] = [
        {},
        { type: 'm.room.name', stateKey: '', content: { name: 'Room' } },
        {
          type: 'm.room.member',
          stateKey: '@alice:example.org',
          content: { membership: 'join', displayname: 'A' },
        },
        { type: 'm.room.power_levels', stateKey: '', content: { users: {}, invite: 5, other: 1 } },
        { type: 'm.room.redaction', redacts: '$target:example.org', content: { reason: 'spam' } },
        { stickyDurationMs: 60_000 },
        { unsigned: { invite_room_state: [{ type: 'm.room.create' }] } },
      ];
      for (const shape of shapes) {
        const input = inputFor(id, shape);
        checkBuilt(input, build(input));
      }
    });

    it(`makes the create event of room version ${id}`, () => {
      const version = getRoomVersion(id);
      const makesId = version.roomIdFormat === 'create-event';
      const built = build(
        inputFor(id, {
          type: 'm.room.create',
          stateKey: '',
          content: { room_version: id, creator: '@alice:example.org' },
          prevEvents: [],
          authEvents: [],
          ...(makesId ? { roomId: null } : {}),
        }),
      );
      expect(built.roomId).to.equal(makesId ? `!${built.eventId.slice(1)}` : '!room:example.org');
      expect('room_id' in built.pdu).to.equal(!makesId);
      expect(eventIdOf(version, built.pdu)).to.equal(built.eventId);
      expect(checkPduFormat(version, built.pdu)).to.equal(null);
    });
  }

  it('writes for how long an event is sticky beside its content, where the hash covers it and a redaction takes it away', () => {
    const version = getRoomVersion('11');
    const { pdu, eventId } = build(inputFor('11', { stickyDurationMs: 60_000 }));
    expect(pdu['msc4354_sticky']).to.deep.equal({ duration_ms: 60_000 });
    const changed = { ...pdu, msc4354_sticky: { duration_ms: 60_001 } };
    expect(hasValidContentHash(version, changed)).to.equal(false);
    expect(redact(version, pdu)).not.to.have.property('msc4354_sticky');
    expect(eventIdOf(version, redact(version, pdu))).to.equal(eventId);
    expect(toShownEvent(version, eventId, pdu, false)['msc4354_sticky']).to.deep.equal({
      duration_ms: 60_000,
    });
    expect(toShownEvent(version, eventId, pdu, true)).not.to.have.property('msc4354_sticky');
  });

  it('counts what makes an event sticky against its size', () => {
    const empty = build(inputFor('11', { content: { body: '' } })).json.length;
    const content = { body: 'x'.repeat(PDU_BYTES_MAX - empty) };
    expect(build(inputFor('11', { content })).json).to.have.length(PDU_BYTES_MAX);
    const refused = buildEvent(inputFor('11', { content, stickyDurationMs: 1 }), signer);
    expect(refused).to.include({ errcode: 'M_TOO_LARGE' });
  });

  it('writes a redaction target where the room version wants it', () => {
    const old = build(inputFor('10', { type: 'm.room.redaction', redacts: '$x', content: { reason: 'r' } }));
    expect(old.pdu).to.include({ redacts: '$x' });
    expect(old.pdu.content).to.deep.equal({ reason: 'r' });
    expect(redactsOf(getRoomVersion('10'), old.pdu)).to.equal('$x');
    const recent = build(
      inputFor('11', { type: 'm.room.redaction', redacts: '$x', content: { reason: 'r' } }),
    );
    expect(recent.pdu).not.to.have.property('redacts');
    expect(recent.pdu.content).to.deep.equal({ reason: 'r', redacts: '$x' });
    expect(redactsOf(getRoomVersion('11'), recent.pdu)).to.equal('$x');
  });

  it('names edges with their hashes in room versions 1 and 2 only', () => {
    const old = build(inputFor('2'));
    expect(old.eventId).to.equal('$chosen:example.org');
    expect(old.pdu.prev_events).to.deep.equal([['$one:example.org', { sha256: 'aaaa' }]]);
    expect(edgeIds(old.pdu.auth_events)).to.deep.equal(['$two:example.org', '$three:example.org']);
    const recent = build(inputFor('3'));
    expect(recent.pdu.prev_events).to.deep.equal(['$one:example.org']);
    expect(edgeIds(recent.pdu.auth_events)).to.deep.equal(['$two:example.org', '$three:example.org']);
    expect(() =>
      buildEvent(
        { ...inputFor('3'), version: getRoomVersion('1'), eventIdLocalpart: undefined as never },
        signer,
      ),
    ).to.throw('event id');
  });

  it('refuses what is too large or too long', () => {
    const large = buildEvent(inputFor('12', { content: { body: 'x'.repeat(PDU_BYTES_MAX) } }), signer);
    expect(large).to.include({ errcode: 'M_TOO_LARGE', status: 413 });
    const fields: readonly Partial<BuildEventInput>[] = [
      { type: 'x'.repeat(256) },
      { stateKey: 'é'.repeat(128) },
      { sender: `@${'x'.repeat(255)}:example.org` },
      { roomId: `!${'x'.repeat(255)}` },
    ];
    for (const field of fields)
      expect(buildEvent(inputFor('12', field), signer)).to.include({ errcode: 'M_TOO_LARGE' });
    expect(isRefusal(buildEvent(inputFor('12', { type: 'x'.repeat(255) }), signer))).to.equal(false);
  });

  it('refuses lone surrogates in fields', () => {
    const fields: readonly Partial<BuildEventInput>[] = [
      { type: '\ud800' },
      { stateKey: '\ud800' },
      { redacts: '\ud800' },
    ];
    for (const field of fields)
      expect(buildEvent(inputFor('12', field), signer)).to.include({ errcode: 'M_BAD_JSON' });
  });

  it('never has more edges than allowed', () => {
    const edges = (count: number): BuildEventInput['prevEvents'] =>
      Array.from({ length: count }, () => ({ eventId: '$e', sha256: 'x' }));
    expect(
      isRefusal(buildEvent(inputFor('12', { prevEvents: edges(20), authEvents: edges(10) }), signer)),
    ).to.equal(false);
    expect(() => buildEvent(inputFor('12', { prevEvents: edges(21) }), signer)).to.throw('too many');
    expect(() => buildEvent(inputFor('12', { authEvents: edges(11) }), signer)).to.throw('too many');
  });

  it('stops counting depths at the largest integer', () => {
    const input = inputFor('12', { depth: Number.MAX_SAFE_INTEGER + 1 });
    const built = build(input);
    expect(built.pdu.depth).to.equal(Number.MAX_SAFE_INTEGER);
    checkBuilt(input, built);
  });

  it('accepts an event of exactly the largest size', () => {
    const size = (length: number): number => {
      const built = buildEvent(inputFor('12', { content: { body: 'x'.repeat(length) } }), signer);
      return isRefusal(built) ? Infinity : Buffer.byteLength(built.json);
    };
    const rest = PDU_BYTES_MAX - size(0);
    expect(size(rest)).to.equal(PDU_BYTES_MAX);
    expect(size(rest + 1)).to.equal(Infinity);
  });

  it('refuses fractions from room version 6 on', () => {
    const content = { level: 1.5 };
    expect(buildEvent(inputFor('6', { content }), signer)).to.include({ errcode: 'M_BAD_JSON', status: 400 });
    checkBuilt(inputFor('5', { content }), build(inputFor('5', { content })));
  });

  it('gives the same event twice', () => {
    expect(build(inputFor('12'))).to.deep.equal(build(inputFor('12')));
  });

  it('holds for any content, type and state key', () => {
    const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);
    const content = fc.dictionary(fc.string({ unit: 'grapheme' }), json, { maxKeys: 5 });
    const shortText = fc.string({ unit: 'grapheme', maxLength: 20 });
    fc.assert(
      fc.property(
        fc.constantFrom(...ROOM_VERSIONS),
        content,
        shortText,
        fc.option(shortText, { nil: undefined }),
        (version, value: JsonObject, type, stateKey) => {
          const state = stateKey === undefined ? {} : { stateKey };
          const input = inputFor(version.id, { content: value, type, ...state });
          const built = buildEvent(input, signer);
          if (isRefusal(built)) expect(canonicalJson(value), built.error).to.equal(undefined);
          else checkBuilt(input, built);
        },
      ),
      { numRuns: 60 },
    );
  });
});
