import { expect } from 'chai';
import {
  DEFAULT_ROOM_VERSION,
  findRoomVersion,
  getRoomVersion,
  ROOM_VERSIONS,
} from '../../../../src/matrix/rooms/room-versions.ts';
import type { RoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';

/** Each flag for versions 1 to 12: the table of the specification, written down a second time. */
const TABLE: Readonly<Partial<Record<keyof RoomVersion, string>>> = {
  strictCanonicalJson: '000001111111',
  enforceKeyValidity: '000011111111',
  redactionAuthRule: '110000000000',
  aliasesAuthRule: '111110000000',
  notificationLevelsChecked: '000001111111',
  integerPowerLevels: '000000000111',
  knock: '000000111111',
  restricted: '000000011111',
  knockRestricted: '000000000111',
  creatorInContent: '111111111100',
  creatorsArePrivileged: '000000000001',
  createInAuthEvents: '111111111110',
};

describe('room versions', () => {
  it('are 1 to 12', () => {
    expect(ROOM_VERSIONS.map(({ id }) => id)).to.deep.equal(
      Array.from({ length: 12 }, (_, index) => `${index + 1}`),
    );
    expect(findRoomVersion(DEFAULT_ROOM_VERSION)?.id).to.equal('12');
  });

  for (const [flag, row] of Object.entries(TABLE)) {
    it(`have ${flag} as the specification says`, () => {
      const flags = ROOM_VERSIONS.map((version) => (version[flag as keyof RoomVersion] === true ? '1' : '0'));
      expect(flags.join('')).to.equal(row);
    });
  }

  it('have formats and algorithms as the specification says', () => {
    const column = (key: keyof RoomVersion): readonly unknown[] =>
      ROOM_VERSIONS.map((version) => version[key]);
    const times = <T>(count: number, value: T): readonly T[] => Array.from({ length: count }, () => value);
    expect(column('eventIdFormat')).to.deep.equal([
      ...times(2, 'server-chosen'),
      'base64',
      ...times(9, 'url-safe-base64'),
    ]);
    expect(column('roomIdFormat')).to.deep.equal([...times(11, 'server-chosen'), 'create-event']);
    expect(column('stateResolution')).to.deep.equal(['v1', ...times(10, 'v2'), 'v2.1']);
    expect(column('redactsIn')).to.deep.equal([...times(10, 'event'), ...times(2, 'content')]);
  });

  it('are opaque, and unknown ones are not found', () => {
    for (const id of ['', '0', '13', '012', '1.0', 'toString'])
      expect(findRoomVersion(id), id).to.equal(undefined);
    expect(() => getRoomVersion('13')).to.throw('13');
  });
});
