import { expect } from 'chai';
import { type MatrixClient, Preset } from 'matrix-js-sdk';
import { type InProcessProgram, startInProcess } from '../support/in-process-program.ts';
import { clientOf, register } from '../support/sdk-client.ts';
import { plainPicture } from '../src/media/pictures.ts';
import { checkedFetch } from '../support/checked-fetch.ts';

describe('two people share a picture', function () {
  this.timeout(60_000);
  let server: InProcessProgram;
  let ann: MatrixClient;
  let bob: MatrixClient;
  let picture: Buffer;
  let uri: string;

  const get = async (client: MatrixClient, url: string | null) => {
    const answer = await checkedFetch(url ?? '', {
      headers: { Authorization: `Bearer ${client.getAccessToken()}` },
    });
    return {
      status: answer.status,
      type: answer.headers.get('content-type'),
      bytes: Buffer.from(await answer.arrayBuffer()),
    };
  };

  before(async () => {
    server = await startInProcess({ gateways: 2 });
    const url = `http://${server.address.host}:${server.address.port}`;
    ann = clientOf(url, await register(url, 'ann', 'ann has a secret'));
    bob = clientOf(url, await register(url, 'bob', 'bob has another'));
    picture = await plainPicture(400, 300, 'png', [10, 200, 100, 255]);
  });
  after(() => server?.dispose());

  it('Ann learns how large it may be, and uploads it', async () => {
    const { 'm.upload.size': sizeMax } = await ann.getMediaConfig(true);
    expect(sizeMax).to.equal(104_857_600);
    const answer = await ann.uploadContent(new Blob([new Uint8Array(picture)]), {
      name: 'garden 🌱.png',
      type: 'image/png',
    });
    uri = answer.content_uri;
    expect(uri).to.match(/^mxc:\/\/localhost\//);
  });

  it('Bob sees it, and a small one, at the addresses that his client makes', async () => {
    const room = await ann.createRoom({ preset: Preset.PublicChat });
    await bob.joinRoom(room.room_id);
    const whole = await get(bob, bob.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, true));
    expect(whole.bytes.equals(picture)).to.equal(true);
    expect(whole.type).to.equal('image/png');
    const small = await get(bob, bob.mxcUrlToHttp(uri, 96, 96, 'crop', false, true, true));
    expect([small.status, small.type]).to.deep.equal([200, 'image/jpeg']);
    expect(small.bytes.length).to.be.lessThan(picture.length * 3);
  });

  it('nobody sees it without an access token', async () => {
    for (const isAuthenticated of [true, false]) {
      const url = ann.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, isAuthenticated) ?? '';
      expect((await checkedFetch(url)).status).to.equal(isAuthenticated ? 401 : 404);
    }
  });

  it('it is there after a restart', async () => {
    await server.stop();
    const again = await startInProcess({ folder: server.folder });
    try {
      const path = `/_matrix/client/v1/media/download/${uri.slice('mxc://'.length)}`;
      const answer = await get(bob, `http://${again.address.host}:${again.address.port}${path}`);
      expect(answer.bytes.equals(picture)).to.equal(true);
    } finally {
      await again.stop();
    }
  });
});
