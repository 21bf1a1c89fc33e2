import { expect } from 'chai';
import type { JsonObject } from '../../../../src/kit/json.ts';
import { toShownEvent } from '../../../../src/matrix/events/client-event.ts';
import { canonicalJson } from '../../../../src/matrix/events/canonical-json.ts';
import { requiredSigners } from '../../../../src/matrix/events/event-signatures.ts';
import { isKeyValidFor } from '../../../../src/matrix/events/key-validity.ts';
import { checkPduFormat, type Pdu } from '../../../../src/matrix/events/pdu.ts';
import { redact } from '../../../../src/matrix/events/redaction.ts';
import { parseLevel } from '../../../../src/matrix/rooms/power-levels.ts';
import {
  getRoomVersion,
  ROOM_VERSIONS,
  type RoomVersion,
} from '../../../../src/matrix/rooms/room-versions.ts';
import { readVectors } from '../vectors/read-vectors.ts';

/** The pages "Room Version 1" to "Room Version 12" of specification v1.19 in one table. */
const MATRIX = `
                        | 1    | 2    | 3   | 4   | 5   | 6    | 7    | 8    | 9    | 10   | 11     | 12
event id                | own  | own  | std | url | url | url  | url  | url  | url  | url  | url    | url
event_id in PDU         | yes  | yes  | no  | no  | no  | no   | no   | no   | no   | no   | no     | no
edges                   | pair | pair | id  | id  | id  | id   | id   | id   | id   | id   | id     | id
room id                 | own  | own  | own | own | own | own  | own  | own  | own  | own  | own    | hash
room_id in create       | yes  | yes  | yes | yes | yes | yes  | yes  | yes  | yes  | yes  | yes    | no
create in auth_events   | yes  | yes  | yes | yes | yes | yes  | yes  | yes  | yes  | yes  | yes    | no
state resolution        | v1   | v2   | v2  | v2  | v2  | v2   | v2   | v2   | v2   | v2   | v2     | v2.1
strict canonical JSON   | no   | no   | no  | no  | no  | yes  | yes  | yes  | yes  | yes  | yes    | yes
depth bits              | 63   | 63   | 63  | 63  | 63  | 53   | 53   | 53   | 53   | 53   | 53     | 53
key validity            | no   | no   | no  | no  | yes | yes  | yes  | yes  | yes  | yes  | yes    | yes
levels                  | isf  | isf  | isf | isf | isf | is   | is   | is   | is   | i    | i      | i
notifications in auth   | no   | no   | no  | no  | no  | yes  | yes  | yes  | yes  | yes  | yes    | yes
aliases rule            | yes  | yes  | yes | yes | yes | no   | no   | no   | no   | no   | no     | no
aliases kept            | yes  | yes  | yes | yes | yes | no   | no   | no   | no   | no   | no     | no
redact level in auth    | yes  | yes  | no  | no  | no  | no   | no   | no   | no   | no   | no     | no
redacts                 | top  | top  | top | top | top | top  | top  | top  | top  | top  | content | content
knock                   | no   | no   | no  | no  | no  | no   | yes  | yes  | yes  | yes  | yes    | yes
restricted              | no   | no   | no  | no  | no  | no   | no   | yes  | yes  | yes  | yes    | yes
knock_restricted        | no   | no   | no  | no  | no  | no   | no   | no   | no   | yes  | yes    | yes
content.creator         | yes  | yes  | yes | yes | yes | yes  | yes  | yes  | yes  | yes  | no     | no
creators above levels   | no   | no   | no  | no  | no  | no   | no   | no   | no   | no   | no     | yes
event_id's server signs | yes  | yes  | no  | no  | no  | no   | no   | no   | no   | no   | no     | no
`;

const HASH_ROOM = '!Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg';
const yes = (is: boolean): string => (is ? 'yes' : 'no');

function pduOf(version: RoomVersion, change: Readonly<Record<string, unknown>>): JsonObject {
  const isOld = version.eventIdFormat === 'server-chosen';
  const edge = isOld ? ['$p:b', { sha256: 'x' }] : '$p';
  const whole = {
    ...(isOld ? { event_id: '$e:chooser' } : {}),
    type: 'm.x',
    sender: '@a:b',
    room_id: version.roomIdFormat === 'create-event' ? HASH_ROOM : '!r:b',
    content: {},
    depth: 1,
    origin_server_ts: 1,
    prev_events: [edge],
    auth_events: [edge],
    hashes: { sha256: 'x' },
    signatures: {},
    ...change,
  };
  return JSON.parse(JSON.stringify(whole)) as JsonObject;
}

const isTaken = (version: RoomVersion, change: Readonly<Record<string, unknown>>): boolean =>
  checkPduFormat(version, pduOf(version, change)) === null;

/** What a room version does, asked of the code and not of its flags where that can be. */
const ROWS: Readonly<Record<string, (version: RoomVersion) => string>> = {
  'event id': ({ eventIdFormat }) =>
    ({ 'server-chosen': 'own', base64: 'std', 'url-safe-base64': 'url' })[eventIdFormat],
  'event_id in PDU': (version) => yes(!isTaken(version, { event_id: undefined })),
  edges: (version) => (isTaken(version, { prev_events: ['$p'], auth_events: ['$p'] }) ? 'id' : 'pair'),
  'room id': (version) => (isTaken(version, { room_id: HASH_ROOM }) ? 'hash' : 'own'),
  'room_id in create': (version) =>
    yes(!isTaken(version, { type: 'm.room.create', state_key: '', room_id: undefined })),
  'create in auth_events': (version) => yes(version.createInAuthEvents),
  'state resolution': (version) => version.stateResolution,
  'strict canonical JSON': (version) => yes(!isTaken(version, { content: { fraction: 1.5 } })),
  'depth bits': (version) => (isTaken(version, { depth: 2 ** 53 }) ? '63' : '53'),
  'key validity': (version) => yes(!isKeyValidFor(version, { validUntilTs: 1 }, 2, 1)),
  levels: (version) =>
    [5, '5', 5.5]
      .map((value, index) => (parseLevel(version, value) === undefined ? '' : 'isf'[index]))
      .join(''),
  'notifications in auth': (version) => yes(version.notificationLevelsChecked),
  'aliases rule': (version) => yes(version.aliasesAuthRule),
  'aliases kept': (version) =>
    yes(
      'aliases' in
        redact(version, pduOf(version, { type: 'm.room.aliases', content: { aliases: [] } }) as Pdu).content,
    ),
  'redact level in auth': (version) => yes(version.redactionAuthRule),
  redacts: (version) => ({ event: 'top', content: 'content' })[version.redactsIn],
  knock: (version) => yes(version.knock),
  restricted: (version) => yes(version.restricted),
  knock_restricted: (version) => yes(version.knockRestricted),
  'content.creator': (version) => yes(version.creatorInContent),
  'creators above levels': (version) => yes(version.creatorsArePrivileged),
  "event_id's server signs": (version) =>
    yes(requiredSigners(version, pduOf(version, {}) as Pdu).includes('chooser')),
};

function rowsOf(table: string): Record<string, readonly string[]> {
  const lines = table.split('\n').filter((line) => line.includes('|'));
  const cells = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  return Object.fromEntries(cells.slice(1).map(([name = '', ...values]) => [name, values]));
}

describe('the matrix of room versions', () => {
  const expected = rowsOf(MATRIX);

  it('has a row for everything that is asked, and for nothing else', () => {
    expect(Object.keys(ROWS)).to.have.members(Object.keys(expected));
  });

  for (const [name, ask] of Object.entries(ROWS))
    it(`says of "${name}" what the specification says`, () => {
      expect(ROOM_VERSIONS.map(ask)).to.deep.equal(expected[name]);
    });
});

describe('what each room version keeps of a redacted event', () => {
  const { rules } = readVectors('redaction') as {
    readonly rules: Readonly<
      Record<
        string,
        {
          readonly top_level: readonly string[];
          readonly content: Readonly<Record<string, readonly string[] | string>>;
        }
      >
    >;
  };

  it('is listed for all of them', () => {
    expect(Object.keys(rules)).to.have.members(ROOM_VERSIONS.map(({ id }) => id));
  });

  for (const { id, redaction } of ROOM_VERSIONS)
    it(`is the list of the specification in room version ${id}`, () => {
      const listed = rules[id];
      expect([...redaction.topLevel]).to.have.members([...(listed?.top_level ?? [])]);
      const kept = Object.fromEntries(
        [...redaction.content].map(([type, rule]) => {
          if (rule === 'all') return [type, 'all'];
          const nested = Object.entries(rule.nested ?? {}).flatMap(([outer, inner]) =>
            inner.map((key) => `${outer}.${key}`),
          );
          return [type, [...rule.keys, ...nested].toSorted()];
        }),
      );
      const wanted = Object.fromEntries(
        Object.entries(listed?.content ?? {}).map(([type, keys]) => [
          type,
          Array.isArray(keys) && !keys.includes('*') ? (keys as readonly string[]).toSorted() : 'all',
        ]),
      );
      expect(kept).to.deep.equal(wanted);
    });
});

describe('examples of the specification', () => {
  const federation = readVectors('federation-examples') as Readonly<Record<string, JsonObject>>;
  const { events } = readVectors('event-examples') as { readonly events: Readonly<Record<string, Pdu>> };
  const taken: Readonly<Record<string, readonly string[]>> = {
    pdu_v1: ['1', '2'],
    pdu_v3: ['3', '4', '5', '6', '7', '8', '9', '10', '11'],
    pdu_v4: ['3', '4', '5', '6', '7', '8', '9', '10', '11'],
    pdu_v11: ['3', '4', '5', '6', '7', '8', '9', '10', '11'],
    pdu_v12: ['12'],
  };

  for (const [name, versions] of Object.entries(taken))
    it(`${name} has the format of room versions ${versions.join(', ')}`, () => {
      const pdu = federation[name];
      const accepting = ROOM_VERSIONS.filter(
        (version) => pdu !== undefined && checkPduFormat(version, pdu) === null,
      );
      expect(accepting.map(({ id }) => id)).to.deep.equal(versions);
    });

  it('a join by somebody’s leave takes that server’s signature where the room version knows it', () => {
    const join = federation['pdu_v4_join_membership'] as Pdu;
    const ofResident = ROOM_VERSIONS.filter((version) =>
      requiredSigners(version, join).includes('resident.example.com'),
    );
    expect(ofResident.map(({ id }) => id)).to.deep.equal(['8', '9', '10', '11', '12']);
  });

  it('a server key is valid until its own time', () => {
    const until = federation['server_key']?.['valid_until_ts'] as number;
    const version = getRoomVersion('12');
    expect(isKeyValidFor(version, { validUntilTs: until }, until, until)).to.equal(true);
    expect(isKeyValidFor(version, { validUntilTs: until }, until + 1, until)).to.equal(false);
  });

  for (const [name, event] of Object.entries(events))
    it(`${name} is canonical, shown as it is, and redacted to what its room version lists`, () => {
      for (const version of ROOM_VERSIONS) {
        expect(canonicalJson(event.content)).to.be.a('string');
        const shown = toShownEvent(version, String(event.event_id), event, false);
        const { redacts: _, ...content } = shown['content'] as JsonObject;
        const { redacts: __, ...original } = event.content;
        expect(content).to.deep.equal(original);
        expect(shown['state_key']).to.equal(event.state_key);
        const kept = version.redaction.content.get(event.type);
        const after = redact(version, event).content;
        if (kept === undefined) expect(after).to.deep.equal({});
        else if (kept !== 'all')
          expect([...kept.keys, ...Object.keys(kept.nested ?? {})]).to.include.members(Object.keys(after));
        else expect(after).to.deep.equal(event.content);
      }
    });
});

describe('sizes of events are bytes of UTF-8', () => {
  const version = getRoomVersion('12');
  /** A PDU whose canonical JSON has so many bytes. */
  const sized = (bytes: number, letter: string): JsonObject => {
    const rest = Buffer.byteLength(canonicalJson(pduOf(version, { content: { body: '' } })) ?? '');
    const width = Buffer.byteLength(letter);
    const count = Math.floor((bytes - rest) / width);
    const body = letter.repeat(count) + 'x'.repeat(bytes - rest - count * width);
    return pduOf(version, { content: { body } });
  };
  for (const letter of ['x', 'é', '漢', '🙂'])
    it(`65,536 of ${letter} are taken and one more is not`, () => {
      expect(checkPduFormat(version, sized(65_536, letter))).to.equal(null);
      expect(checkPduFormat(version, sized(65_537, letter))).to.include({ errcode: 'M_TOO_LARGE' });
    });

  for (const field of ['type', 'state_key'])
    for (const letter of ['x', 'é', '🙂'])
      it(`255 of ${field} in ${letter} are taken and one more is not`, () => {
        const width = Buffer.byteLength(letter);
        const fits = letter.repeat(Math.floor(255 / width)) + 'x'.repeat(255 % width);
        expect(isTaken(version, { [field]: fits })).to.equal(true);
        expect(isTaken(version, { [field]: `${fits}x` })).to.equal(false);
      });

  it('255 of sender, room_id and event_id are taken and one more is not', () => {
    const old = getRoomVersion('2');
    for (const [field, sigil] of [
      ['sender', '@'],
      ['room_id', '!'],
      ['event_id', '$'],
    ] as const) {
      const whole = (bytes: number): string =>
        `${sigil}${'é'.repeat((bytes - 3) >> 1)}${'x'.repeat((bytes - 3) & 1)}:b`;
      expect(Buffer.byteLength(whole(255))).to.equal(255);
      expect(isTaken(old, { [field]: whole(255) }), field).to.equal(true);
      expect(isTaken(old, { [field]: whole(256) }), field).to.equal(false);
    }
  });

  it('integers end at 2^53 − 1 where canonical JSON is strict', () => {
    for (const { id, strictCanonicalJson } of ROOM_VERSIONS) {
      const each = getRoomVersion(id);
      for (const field of ['depth', 'origin_server_ts']) {
        expect(isTaken(each, { [field]: 2 ** 53 - 1 }), `${field} ${id}`).to.equal(true);
        expect(isTaken(each, { [field]: 2 ** 53 }), `${field} ${id}`).to.equal(!strictCanonicalJson);
        expect(isTaken(each, { [field]: 1.5 }), `${field} ${id}`).to.equal(false);
      }
      expect(isTaken(each, { content: { big: 2 ** 53 } }), id).to.equal(!strictCanonicalJson);
    }
  });
});
