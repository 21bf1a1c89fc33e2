import { expect } from 'chai';
import { isKeyValidFor, KEY_VALIDITY_MS_MAX } from '../../../../src/matrix/events/key-validity.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../../src/matrix/rooms/room-versions.ts';

const NOW = 1_700_000_000_000;
const DAY = 24 * 60 * 60 * 1_000;

describe('validity of keys', () => {
  const version = getRoomVersion('5');

  it('lasts seven days at most', () => expect(KEY_VALIDITY_MS_MAX).to.equal(7 * DAY));

  it('ends at valid_until_ts, that instant included', () => {
    const key = { validUntilTs: NOW - DAY };
    expect(isKeyValidFor(version, key, NOW - DAY, NOW)).to.equal(true);
    expect(isKeyValidFor(version, key, NOW - DAY + 1, NOW)).to.equal(false);
  });

  it('ends seven days from now at the latest', () => {
    const key = { validUntilTs: NOW + 365 * DAY };
    expect(isKeyValidFor(version, key, NOW + 7 * DAY, NOW)).to.equal(true);
    expect(isKeyValidFor(version, key, NOW + 7 * DAY + 1, NOW)).to.equal(false);
  });

  it('is asked for from room version 5 on', () => {
    const old = { validUntilTs: 1 };
    const valid = ROOM_VERSIONS.filter((each) => isKeyValidFor(each, old, NOW, NOW)).map(({ id }) => id);
    expect(valid).to.deep.equal(['1', '2', '3', '4']);
  });
});
