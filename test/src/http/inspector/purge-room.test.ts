import { expect } from 'chai';
import { endpoint as deleteRoom } from '../../../../src/http/inspector/v1/delete-room.ts';
import { endpoint as purgeRoom } from '../../../../src/http/inspector/v1/purge-room.ts';
import { deleteRoom as deleteAsked, purgeRoom as purgeAsked } from '../../../../actors/inspector/purges.ts';
import { isRefusal } from '../../../../src/matrix/refusal.ts';
import { type AdminWorld, openAdminWorld } from '../admin/admin-world.ts';
import type { Person } from '../../sync/sync-world.ts';

describe('purges through the inspector', () => {
  let world: AdminWorld;
  let alice: Person;
  before(async () => {
    world = await openAdminWorld();
    alice = await world.person('alice');
  });
  after(() => world.stop());

  /** The endpoint over what the inspector actor does, without the supervisor that it needs for the rest. */
  function ask(
    endpoint: typeof purgeRoom | typeof deleteRoom,
    roomId: string,
    body: object,
  ): Promise<unknown> {
    const context = { env: { db: world.database.db }, ref: (name: 'rooms') => world.host.ref(name) } as never;
    const asked = (message: string, input: never): Promise<unknown> =>
      message === 'inspector.purge-room' ? purgeAsked(context, input) : deleteAsked(context, input);
    const request = { params: { roomId }, body, services: { inspector: { ask: asked } } };
    return endpoint.handle(request as never);
  }

  it('deletes what is older than a moment, and says what that gave back', async () => {
    const roomId = await alice.room();
    for (let count = 0; count < 5; count += 1) await alice.say(roomId, `message ${count}`);
    const reply = (await ask(purgeRoom, roomId, {
      before_ts: world.clock.now() + 1,
      delete_local_events: true,
    })) as { readonly body: Record<string, number> };
    expect(reply.body['events']).to.be.at.least(4);
    expect(reply.body['freedBytes']).to.be.greaterThan(1_000);
    expect(reply.body).to.have.all.keys(
      'events',
      'stateGroups',
      'freedBytes',
      'freedPages',
      'pageBytes',
      'fileBytes',
      'position',
    );
    const refused = await ask(purgeRoom, roomId, {});
    expect(isRefusal(refused) && refused.errcode).to.equal('M_BAD_JSON');
    const unknown = await ask(purgeRoom, '!no:example.org', { before_ts: 1 });
    expect(isRefusal(unknown) && unknown.errcode).to.equal('M_NOT_FOUND');
  });

  it('deletes a room', async () => {
    const roomId = await alice.room();
    const reply = (await ask(deleteRoom, roomId, { block: true })) as {
      readonly body: Record<string, number>;
    };
    expect(reply.body['events']).to.be.greaterThan(5);
    const again = await ask(deleteRoom, roomId, {});
    expect(isRefusal(again) && again.errcode).to.equal('M_NOT_FOUND');
  });
});
