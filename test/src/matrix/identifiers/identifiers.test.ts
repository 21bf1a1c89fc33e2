import { expect } from 'chai';
import { domainOf, isOfServer } from '../../../../src/matrix/identifiers/domain.ts';
import { parseEventId } from '../../../../src/matrix/identifiers/event-id.ts';
import { makeMxcUri, MEDIA_ID_LENGTH_MAX, parseMxcUri } from '../../../../src/matrix/identifiers/mxc-uri.ts';
import { makeRoomAlias, parseRoomAlias } from '../../../../src/matrix/identifiers/room-alias.ts';
import {
  createEventIdOfRoom,
  parseRoomId,
  roomIdOfCreateEvent,
} from '../../../../src/matrix/identifiers/room-id.ts';
import { hostAndPortOf, parseServerName } from '../../../../src/matrix/identifiers/server-name.ts';
import type { ServerName } from '../../../../src/matrix/identifiers/server-name.ts';
import {
  isForwardableUserId,
  isNewLocalpart,
  localpartOf,
  makeUserId,
  parseUserId,
} from '../../../../src/matrix/identifiers/user-id.ts';
import type { UserId } from '../../../../src/matrix/identifiers/user-id.ts';
import { readVectors } from '../vectors/read-vectors.ts';

interface Grammar {
  readonly valid: readonly string[];
  readonly invalid: readonly string[];
}

const vectors = readVectors('identifiers') as {
  readonly server_name: Grammar;
  readonly user_id: {
    readonly valid_current: readonly string[];
    readonly accept_historical_over_federation: readonly string[];
    readonly historical_outside_0x21_0x7e_must_not_be_forwarded_outside_events: readonly string[];
    readonly invalid: readonly string[];
  };
  readonly new_localpart_valid: readonly string[];
  readonly new_localpart_invalid: readonly string[];
  readonly room_id: Grammar;
  readonly event_id: { readonly valid: readonly string[] };
  readonly room_alias: Grammar;
  readonly mxc: Grammar;
};

function checkGrammar(grammar: Grammar, parse: (text: string) => unknown): void {
  for (const text of grammar.valid) expect(parse(text), text).not.to.equal(undefined);
  for (const text of grammar.invalid) expect(parse(text), text).to.equal(undefined);
}

describe('server names', () => {
  it('follow the grammar', () => checkGrammar(vectors.server_name, parseServerName));

  it('have a host and a port', () => {
    expect(hostAndPortOf('[1234:5678::abcd]:5678' as ServerName)).to.deep.equal({
      host: '1234:5678::abcd',
      isIpv6: true,
      port: 5678,
    });
    expect(hostAndPortOf('matrix.org' as ServerName)).to.deep.equal({
      host: 'matrix.org',
      isIpv6: false,
      port: undefined,
    });
    expect(() => hostAndPortOf('not a name' as ServerName)).to.throw('not a server name');
  });

  it('have real IPv6 addresses in brackets', () => {
    for (const name of ['[1:2]', '[:::]', '[1.2.3.4]', '[::1.2.3.400]']) {
      expect(parseServerName(name), name).to.equal(undefined);
    }
    expect(parseServerName('[::ffff:1.2.3.4]')).to.equal('[::ffff:1.2.3.4]');
  });

  it('have no port above 65535', () => {
    expect(parseServerName('example.org:65536')).to.equal(undefined);
  });
});

describe('user ids', () => {
  const { user_id: userIds } = vectors;

  it('are accepted in their current and historical forms', () => {
    const valid = [...userIds.valid_current, ...userIds.accept_historical_over_federation];
    checkGrammar({ valid, invalid: userIds.invalid }, parseUserId);
  });

  it('may be forwarded when they are visible ASCII', () => {
    const hidden = userIds.historical_outside_0x21_0x7e_must_not_be_forwarded_outside_events;
    for (const userId of userIds.accept_historical_over_federation) {
      const isEmpty = localpartOf(userId) === '';
      if (isEmpty) continue;
      expect(isForwardableUserId(userId as UserId), userId).to.equal(!hidden.includes(userId));
    }
  });

  it('are strict when they are new', () => {
    for (const localpart of vectors.new_localpart_valid)
      expect(isNewLocalpart(localpart), localpart).to.equal(true);
    for (const localpart of vectors.new_localpart_invalid) {
      expect(isNewLocalpart(localpart), localpart).to.equal(false);
      expect(makeUserId(localpart, 'example.org'), localpart).to.equal(undefined);
    }
    expect(makeUserId('alice', 'example.org')).to.equal('@alice:example.org');
    expect(makeUserId('a'.repeat(255), 'example.org')).to.equal(undefined);
  });

  it('are measured in bytes', () => {
    expect(parseUserId(`@${'é'.repeat(121)}:example.org`)).not.to.equal(undefined);
    expect(parseUserId(`@${'é'.repeat(122)}:example.org`)).to.equal(undefined);
  });

  it('are well-formed Unicode', () => {
    expect(parseUserId('@\ud800:example.org')).to.equal(undefined);
  });
});

describe('room ids, aliases, event ids and content URIs', () => {
  it('follow the grammar of room ids', () => checkGrammar(vectors.room_id, parseRoomId));
  it('follow the grammar of aliases', () => checkGrammar(vectors.room_alias, parseRoomAlias));
  it('follow the grammar of content URIs', () => checkGrammar(vectors.mxc, parseMxcUri));

  it('follow the grammar of event ids', () => {
    const invalid = ['', '$', 'x', '!a:b', `$${'a'.repeat(255)}`, '$a\0b'];
    checkGrammar({ valid: vectors.event_id.valid, invalid }, parseEventId);
  });

  it('makes a room id of a create event and back', () => {
    const eventId = '$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg';
    expect(roomIdOfCreateEvent(eventId)).to.equal('!Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg');
    expect(createEventIdOfRoom(roomIdOfCreateEvent(eventId))).to.equal(eventId);
  });

  it('makes aliases of local parts', () => {
    expect(makeRoomAlias('somewhere', 'example.org')).to.equal('#somewhere:example.org');
    for (const localpart of ['', 'a:b', ' a', 'a ', 'a\0']) {
      expect(makeRoomAlias(localpart, 'example.org'), localpart).to.equal(undefined);
    }
  });

  it('splits and makes content URIs', () => {
    expect(parseMxcUri('mxc://localhost:8448/a')).to.deep.equal({
      serverName: 'localhost:8448',
      mediaId: 'a',
    });
    expect(parseMxcUri(`mxc://a/${'x'.repeat(MEDIA_ID_LENGTH_MAX)}`)).not.to.equal(undefined);
    expect(parseMxcUri(`mxc://a/${'x'.repeat(MEDIA_ID_LENGTH_MAX + 1)}`)).to.equal(undefined);
    expect(makeMxcUri('example.org', 'abc')).to.equal('mxc://example.org/abc');
  });
});

describe('domains', () => {
  it('are everything after the first colon', () => {
    expect(domainOf('@x:[::1]:80')).to.equal('[::1]:80');
    expect(domainOf('!Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg')).to.equal(undefined);
  });

  it('are compared whole, never by their end', () => {
    expect(isOfServer('@x:example.org', 'example.org')).to.equal(true);
    expect(isOfServer('@x:evil-example.org', 'example.org')).to.equal(false);
    expect(isOfServer('@x:example.org:8448', 'example.org')).to.equal(false);
    expect(isOfServer('@x:a:8448', '8448')).to.equal(false);
    expect(isOfServer('!hash', 'hash')).to.equal(false);
  });
});
