import { expect } from 'chai';
import { readKeyDocument } from '../../../../src/federation/trust/key-document.ts';
import { QUERIED_SERVERS_MAX } from '../../../../src/http/server/keys/query-keys.ts';
import type { JsonObject } from '../../../../src/kit/json.ts';
import { createHttpClient, type HttpClient, pathOf } from '../../../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../../../support/in-process-program.ts';

const NAME = 'keys.example';
const OWN = '/_matrix/key/v2/server';
const QUERY = '/_matrix/key/v2/query';
const ENVIRONMENT = { TROUPE_SERVER_NAME: NAME, TROUPE_FEDERATION_TRUSTED_KEY_SERVERS: '[]' };
// A name that is an address which is refused before anything is sent.
const NOBODY = '10.0.0.1:1';

describe('the endpoints for keys', function () {
  this.timeout(30_000);
  let server: InProcessProgram;
  let http: HttpClient;

  const open = async (folder?: string): Promise<void> => {
    server = await startInProcess({ environment: ENVIRONMENT, ...(folder !== undefined && { folder }) });
    http = createHttpClient(server.address);
  };
  before(() => open());
  after(async () => {
    http?.close();
    await server?.dispose();
  });

  const own = async () => {
    const document = readKeyDocument((await http.get(OWN)).body as JsonObject, NAME);
    if (document === undefined) throw new Error('no document');
    return document;
  };
  const listed = (body: unknown): readonly JsonObject[] =>
    (body as { server_keys: JsonObject[] }).server_keys;

  it('give the own keys, also as a notary, and say nothing of servers that cannot be asked', async () => {
    const { json } = await own();
    for (const path of [pathOf`/_matrix/key/v2/query/${NAME}`, `${QUERY}/${NAME}?minimum_valid_until_ts=1`])
      expect(listed((await http.get(path)).body), path).to.deep.equal([json]);
    const wanted = { [NAME]: {}, [NOBODY]: { 'ed25519:a': { minimum_valid_until_ts: 5 } }, 'no name': {} };
    expect(listed((await http.post(QUERY, { server_keys: wanted })).body)).to.deep.equal([json]);
    expect(listed((await http.get(`${QUERY}/${NOBODY}`)).body)).to.deep.equal([]);
  });

  it('refuse what is no question', async () => {
    expect((await http.get(`${QUERY}/no%20name`)).body).to.include({ errcode: 'M_INVALID_PARAM' });
    expect((await http.get(`${QUERY}/${NAME}?minimum_valid_until_ts=soon`)).status).to.equal(400);
    expect((await http.post(QUERY, { server_keys: [] })).body).to.include({ errcode: 'M_BAD_JSON' });
    const many = Object.fromEntries(
      Array.from({ length: QUERIED_SERVERS_MAX + 1 }, (_, index) => [`n${index}`, {}]),
    );
    expect((await http.post(QUERY, { server_keys: many })).body).to.include({ errcode: 'M_TOO_LARGE' });
  });

  it('publish a new key at once, which signs after the next start, when the one before it is old', async () => {
    const before = (await own()).keys.map(({ keyId }) => keyId);
    const inspector = createHttpClient(server.program.inspectorAddress);
    const added = await inspector.post('/_troupe/inspector/v1/signing-keys', {});
    inspector.close();
    expect(added.status, added.text).to.equal(200);
    const { key_id: keyId } = added.body as { key_id: string };
    expect((await own()).keys.map((key) => [key.keyId, key.isOld])).to.deep.equal([
      [before[0], false],
      [keyId, false],
    ]);
    await server.stop();
    http.close();
    await open(server.folder);
    const { json, keys } = await own();
    expect(keys.map((key) => [key.keyId, key.isOld])).to.deep.equal([
      [keyId, false],
      [before[0], true],
    ]);
    expect(Object.keys((json['signatures'] as Record<string, object>)[NAME] ?? {})).to.deep.equal([keyId]);
    const [old] = keys.filter(({ isOld }) => isOld);
    expect(old?.validUntilTs).to.be.closeTo(Date.now(), 60_000);
  });
});
