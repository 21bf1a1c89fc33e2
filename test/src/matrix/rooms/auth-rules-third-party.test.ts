import { expect } from 'chai';
import type { Json, JsonObject } from '../../../../src/kit/json.ts';
import { encodeBase64, encodeUrlSafeBase64 } from '../../../../src/matrix/events/unpadded-base64.ts';
import { THIRD_PARTY_SIGNATURE_CHECKS_MAX } from '../../../../src/matrix/rooms/auth-rules-third-party.ts';
import { makeServerKey, signJson, verifyKeyOf } from '../../../../src/matrix/signing.ts';
import { makeRoom } from './auth-room.ts';
import type { RoomOptions } from './auth-room.ts';

const key = makeServerKey(new Uint8Array(32).fill(9), 'id');
const publicKey = verifyKeyOf(key).publicKey;
const other = verifyKeyOf(makeServerKey(new Uint8Array(32).fill(8), 'id')).publicKey;
const signed = signJson({ mxid: '@nobody:c', token: 'token' }, 'id.example', key);

function room(content: JsonObject): RoomOptions {
  return { state: [{ type: 'm.room.third_party_invite', stateKey: 'token', sender: '@user:b', content }] };
}

function ask(
  id: string,
  thirdPartyInvite: Json,
  options: RoomOptions = room({ public_key: encodeBase64(publicKey) }),
  people: { readonly sender?: string; readonly target?: string } = {},
): string {
  return makeRoom(id, options).ask({
    type: 'm.room.member',
    sender: people.sender ?? '@user:b',
    stateKey: people.target ?? '@nobody:c',
    content: { membership: 'invite', third_party_invite: thirdPartyInvite },
  });
}

describe('authorisation rules of third-party invites', () => {
  for (const [id, prefix] of [
    ['1', '5.3.1'],
    ['7', '4.3.1'],
    ['8', '4.4.1'],
    ['12', '5.4.1'],
  ] as const) {
    it(`version ${id}: every rule of ${prefix}`, () => {
      expect(ask(id, { signed })).to.equal('ok');
      const forBanned = signJson({ mxid: '@banned:b', token: 'token' }, 'id.example', key);
      expect(ask(id, { signed: forBanned }, undefined, { target: '@banned:b' })).to.equal(`${prefix}.1`);
      expect(ask(id, {})).to.equal(`${prefix}.2`);
      expect(ask(id, 'text')).to.equal(`${prefix}.2`);
      expect(ask(id, { signed: { mxid: '@nobody:c' } })).to.equal(`${prefix}.3`);
      expect(ask(id, { signed: { token: 'token' } })).to.equal(`${prefix}.3`);
      expect(ask(id, { signed }, undefined, { target: '@else:c' })).to.equal(`${prefix}.4`);
      expect(ask(id, { signed }, {})).to.equal(`${prefix}.5`);
      expect(ask(id, { signed }, undefined, { sender: '@mod:a' })).to.equal(`${prefix}.6`);
      expect(ask(id, { signed }, room({ public_key: encodeBase64(other) }))).to.equal(`${prefix}.8`);
      expect(ask(id, { signed }, room({}))).to.equal(`${prefix}.8`);
      expect(ask(id, { signed: { mxid: '@nobody:c', token: 'token' } })).to.equal(`${prefix}.8`);
    });
  }

  it('one of many keys, in either base64, is enough', () => {
    const keys = [encodeUrlSafeBase64(other), encodeUrlSafeBase64(publicKey)];
    const content = { public_key: 'nonsense!', public_keys: keys.map((text) => ({ public_key: text })) };
    expect(ask('12', { signed }, room(content))).to.equal('ok');
  });

  it('a changed text is not signed', () => {
    expect(ask('12', { signed: { ...signed, extra: 1 } })).to.equal('5.4.1.8');
  });

  it('gives up after a bounded number of keys', () => {
    const keys = Array.from({ length: THIRD_PARTY_SIGNATURE_CHECKS_MAX }, () => ({
      public_key: encodeBase64(other),
    }));
    const content = { public_keys: [...keys, { public_key: encodeBase64(publicKey) }] };
    expect(ask('12', { signed }, room(content))).to.equal('5.4.1.8');
  });
});
