import { expect } from 'chai';
import { createHmac } from 'node:crypto';
import { createHttpClient, type HttpClient, pathOf } from '../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../support/in-process-program.ts';

const STORY_TIMEOUT_MS = 60_000;
const SECRET = 'hush';
const SEND = '/_synapse/admin/v1/send_server_notice';

interface Answer {
  readonly [field: string]: Answer & string;
}

describe('story: the server speaks', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: InProcessProgram;
  let http: HttpClient;

  async function start(folder?: string): Promise<void> {
    const environment = {
      TROUPE_REGISTRATION_SHARED_SECRET: SECRET,
      // Away from the owners that it asks.
      TROUPE_ACTORS_PLACEMENT: '{ server-notices = "main" }',
    };
    server = await startInProcess({ environment, ...(folder !== undefined && { folder }) });
    http = createHttpClient(server.address, null);
  }
  before(() => start());
  after(async () => {
    http.close();
    await server.dispose();
  });

  /** Gives the access token. */
  async function register(username: string, isAdmin: boolean): Promise<string> {
    const path = '/_synapse/admin/v1/register';
    const { nonce } = (await http.get(path)).body as unknown as Answer;
    const words = [nonce, username, 'correct horse', isAdmin ? 'admin' : 'notadmin'];
    const mac = createHmac('sha1', SECRET).update(words.join('\0')).digest('hex');
    const body = { nonce, username, password: 'correct horse', admin: isAdmin, mac } as const;
    const answer = (await http.post(path, body)).body as unknown as Answer;
    return answer['access_token'] ?? '';
  }

  it('to a user who is away, with one voice before and after a restart', async () => {
    const admin = await register('root', true);
    const ann = await register('ann', false);
    const notice = (body: string) => ({
      user_id: '@ann:localhost',
      content: { msgtype: 'm.server_notice', body, server_notice_type: 'org.example.news' },
    });
    const first = await http.withToken(admin).put(`${SEND}/one`, notice('we are going to restart'));
    expect(first.status, first.text).to.equal(200);
    http.close();
    await server.stop();
    await start(server.folder);
    const [asAdmin, asAnn] = [http.withToken(admin), http.withToken(ann)];
    const again = await asAdmin.put(`${SEND}/one`, notice('we are going to restart'));
    expect(again.body).to.deep.equal(first.body);
    expect((await asAdmin.put(`${SEND}/two`, notice('we are back'))).status).to.equal(200);
    const sync = (await asAnn.get('/_matrix/client/v3/sync')).body as unknown as Answer;
    const rooms = Object.keys(sync['rooms']?.['invite'] ?? {});
    expect(rooms).to.have.lengthOf(1);
    const [roomId = ''] = rooms;
    const left = await asAnn.post(pathOf`/_matrix/client/v3/rooms/${roomId}/leave`, {});
    expect(left.body).to.include({ errcode: 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM' });
    expect((await asAnn.post(pathOf`/_matrix/client/v3/rooms/${roomId}/join`, {})).status).to.equal(200);
    const { body } = await asAnn.get(pathOf`/_matrix/client/v3/rooms/${roomId}/messages`, {
      query: { dir: 'b', limit: 3 },
    });
    const chunk = (body as unknown as { chunk: readonly { content: { body?: string } }[] }).chunk;
    const said = chunk.map(({ content }) => content.body).filter((text) => text !== undefined);
    expect(said).to.deep.equal(['we are back', 'we are going to restart']);
    expect(server.failures).to.deep.equal([]);
  });
});
