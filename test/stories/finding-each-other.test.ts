import { expect } from 'chai';
import { Direction, EventType, type MatrixClient, Preset, RoomType, Visibility } from 'matrix-js-sdk';
import { clientOf, register } from '../support/sdk-client.ts';
import { eventually } from '../support/person.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 60_000;

describe('people find rooms, spaces and each other', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let ann: MatrixClient;
  let bob: MatrixClient;
  let space: string;
  let tea: string;

  before(async () => {
    server = await startTroupe({ gateways: 2 });
    ann = clientOf(server.url, await register(server.url, 'ann', 'open sesame 1'));
    bob = clientOf(server.url, await register(server.url, 'bob', 'open sesame 2'));
    const open = { preset: Preset.PublicChat, visibility: Visibility.Public };
    ({ room_id: space } = await ann.createRoom({
      ...open,
      name: 'Drinks',
      creation_content: { type: RoomType.Space },
    }));
    ({ room_id: tea } = await ann.createRoom({ ...open, name: 'Tea', room_alias_name: 'tea' }));
    await ann.sendStateEvent(
      space,
      EventType.SpaceChild,
      { via: [ann.getDomain() ?? ''], suggested: true },
      tea,
    );
  });
  after(() => server.stop());

  it('in the public directory', async () => {
    const all = await bob.publicRooms({ limit: 10 });
    expect(all.chunk.map((room) => room.name)).to.have.members(['Drinks', 'Tea']);
    const found = await bob.publicRooms({ filter: { generic_search_term: 'TEA', room_types: [null] } });
    expect(found.chunk.map((room) => room.room_id)).to.deep.equal([tea]);
    const first = await bob.publicRooms({ limit: 1 });
    const second = await bob.publicRooms({ limit: 1, since: first.next_batch ?? '' });
    expect([...first.chunk, ...second.chunk].map((room) => room.room_id)).to.have.members([space, tea]);
    await ann.setRoomDirectoryVisibility(tea, Visibility.Private);
    expect(await bob.getRoomDirectoryVisibility(tea)).to.deep.equal({ visibility: 'private' });
  });

  it('in a space', async () => {
    const { rooms } = await bob.getRoomHierarchy(space, 10, 2, true);
    expect(rooms.map((room) => room.room_id)).to.deep.equal([space, tea]);
    expect(rooms[0]?.children_state.map((child) => child.state_key)).to.deep.equal([tea]);
    expect(await bob.getRoomSummary(`#tea:${ann.getDomain()}`)).to.include({
      room_id: tea,
      membership: 'leave',
    });
  });

  it('by name, and by the rooms that they share', async () => {
    await bob.joinRoom(tea);
    await ann.setDisplayName('Ánn of the Teapot');
    const seen = await eventually('the directory', async () => {
      const { results } = await bob.searchUserDirectory({ term: 'ann tea', limit: 5 });
      return results.length > 0 && results;
    });
    expect(seen).to.deep.equal([{ user_id: ann.getUserId(), display_name: 'Ánn of the Teapot' }]);
    // oxlint-disable-next-line no-underscore-dangle -- the package's own name for what was a proposal once
    expect(await bob._unstable_getSharedRooms(ann.getUserId() ?? '')).to.deep.equal([tea]);
  });

  it('in time', async () => {
    const sent = await ann.sendTextMessage(tea, 'hot');
    const { event_id: eventId } = await bob.timestampToEvent(tea, Date.now() + 60_000, Direction.Backward);
    expect(eventId).to.equal(sent.event_id);
  });
});
