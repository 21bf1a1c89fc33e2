import { expect } from 'chai';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { backUp } from '../../../src/backup/back-up.ts';
import { restoreBackup } from '../../../src/backup/restore.ts';
import { createHttpClient, type HttpClient } from '../../support/http-client.ts';
import type { InProcessProgram } from '../../support/in-process-program.ts';
import { eventually, type Person, register } from '../../support/person.ts';
import { type Cluster, startInProcessCluster } from '../../support/troupe-cluster.ts';
import { SURROUNDINGS } from './living-server.ts';

describe('a restored server among others', function () {
  this.timeout(60_000);
  const shelf = mkdtempSync(join(tmpdir(), 'troupe-backup-'));
  let cluster: Cluster<InProcessProgram>;

  before(async () => {
    cluster = await startInProcessCluster();
  });
  after(async () => {
    await cluster?.dispose();
    rmSync(shelf, { recursive: true, force: true });
  });

  it('gets back from them what it said after the backup, and is heard again', async () => {
    const [mine, theirs] = cluster.members;
    if (mine === undefined || theirs === undefined) throw new Error('two servers are wanted');
    const clients: HttpClient[] = [];
    const connectTo = ({ address }: InProcessProgram): HttpClient => {
      const client = createHttpClient(address, null);
      clients.push(client);
      return client;
    };
    let ann: Person = await register(connectTo(mine.server), 'ann');
    const bob = await register(connectTo(theirs.server), 'bob');
    const roomId = await ann.createRoom({ preset: 'private_chat', invite: [bob.userId] });
    await eventually('the invite', async () => (await bob.sync()).rooms?.invite?.[roomId] !== undefined);
    await bob.join(roomId);
    const hears = (who: Person, text: string) =>
      eventually(text, async () => (await who.readAll(roomId)).includes(text));
    await ann.send(roomId, 'a', 'kept');
    await hears(bob, 'kept');
    const { folder } = mine.server;
    const file = join(shelf, 'a.tar');
    await backUp({
      ...SURROUNDINGS,
      dataFolder: folder,
      to: { file },
      withMedia: true,
      configFile: null,
      programVersion: '1',
    });
    await ann.send(roomId, 'b', 'burnt here');
    await ann.send(roomId, 'c', 'and so is this');
    await hears(bob, 'and so is this');
    ann.http.close();
    await mine.server.stop();
    const { serverName } = mine;
    await restoreBackup({ ...SURROUNDINGS, file, dataFolder: folder, serverName, isForced: true });
    await mine.restart();
    ann = ann.over(connectTo(mine.server));
    expect(await ann.readAll(roomId)).to.deep.equal(['kept']);
    await bob.send(roomId, 'd', 'are you back');
    await hears(ann, 'are you back');
    expect(await ann.readAll(roomId)).to.include.members([
      'kept',
      'burnt here',
      'and so is this',
      'are you back',
    ]);
    await ann.send(roomId, 'e', 'as you see');
    await hears(bob, 'as you see');
    for (const client of [...clients, ann.http, bob.http]) client.close();
  });
});
