import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { JsonObject } from '../../src/kit/json.ts';
import { KNOWN_ROOM_VERSIONS } from '../../src/matrix/rooms/room-versions.ts';
import { pathOf } from '../support/http-client.ts';
import { clientOfUrl, okBody, register } from '../support/person.ts';
import { spawnTroupe, startTroupe } from '../support/troupe-process.ts';

const CLIENT = '/_matrix/client/v3';

describe('room versions of a whole server', function () {
  this.timeout(60_000);

  it('8.1 refuses to start with a default that it does not know, and lists those that it does', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-versions-'));
    try {
      const { child, output } = spawnTroupe(folder, { TROUPE_ROOMS_DEFAULT_VERSION: 'nope' });
      const code = await new Promise((resolve) => child.once('exit', resolve));
      expect(code).to.not.equal(0);
      for (const { id } of KNOWN_ROOM_VERSIONS) expect(output()).to.include(`"${id}"`);
      expect(output()).to.include('"nope"');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('8.1 8.6 makes rooms of the configured default, says so, and knows what it says', async () => {
    const server = await startTroupe({ environment: { TROUPE_ROOMS_DEFAULT_VERSION: '10' } });
    const http = clientOfUrl(server.url);
    try {
      const ann = await register(http, 'ann');
      const roomId = await ann.createRoom();
      const create = await ann.http.get(`${CLIENT}${pathOf`/rooms/${roomId}`}/state/m.room.create/`);
      expect(okBody(create, 'create event')['room_version']).to.equal('10');
      const body = okBody(await ann.http.get(`${CLIENT}/capabilities`), 'capabilities');
      const versions = (body['capabilities'] as JsonObject)['m.room_versions'] as JsonObject;
      expect(versions['default']).to.equal('10');
      expect(Object.keys(versions['available'] as JsonObject)).to.have.members(
        KNOWN_ROOM_VERSIONS.map(({ id }) => id),
      );
    } finally {
      http.close();
      await server.dispose();
    }
  });
});
