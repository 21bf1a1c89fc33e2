import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import { clientPath, type Guest, get, joinVia, type Meeting, put } from '../../support/synapse/meeting.ts';

/** What a server may add to how long ago somebody was active, in milliseconds. */
const MOMENTS_MS = 60_000;

const SIDES = ['troupe', 'synapse'] as const;

/** Who is there, as the users of the other see it. */
export function describePresence(getMeeting: () => Meeting): void {
  describe('presence', () => {
    /** Somebody new of one, with somebody new of the other. */
    async function pair(host: (typeof SIDES)[number], name: string): Promise<readonly [Guest, Guest]> {
      const other = host === 'troupe' ? 'synapse' : 'troupe';
      return [await getMeeting().guest(host, name), await getMeeting().guest(other, `${name}-too`)];
    }
    const statusPath = (guest: Guest): string => clientPath`/presence/${guest.userId}/status`;
    const say = (guest: Guest, presence: string, message?: string): Promise<JsonObject> =>
      put(guest, statusPath(guest), { presence, ...(message !== undefined && { status_msg: message }) });
    const sees = (watcher: Guest, shown: Guest, presence: string, message?: string): Promise<JsonObject> =>
      watcher.until(`${shown.userId} to be ${presence}`, (seen) => {
        const content = seen.presence.get(shown.userId);
        const isThat = content?.['presence'] === presence && content['status_msg'] === message;
        return isThat && content;
      });

    for (const side of SIDES) {
      it(`of a user of ${side} is told as it changes, with what they say`, async () => {
        const [shown, watcher] = await pair(side, `rue-${side}`);
        const roomId = await shown.createRoom({ preset: 'public_chat' });
        await joinVia(watcher, roomId, shown.serverName);
        await say(shown, 'online', 'at the desk');
        const online = await sees(watcher, shown, 'online', 'at the desk');
        expect(online['currently_active']).to.equal(true);
        expect(online['last_active_ago']).to.be.within(0, MOMENTS_MS);
        const asked = await get(watcher, statusPath(shown));
        expect(asked).to.include({ presence: 'online', status_msg: 'at the desk' });
        await say(shown, 'org.matrix.msc3026.busy', 'on the telephone');
        await sees(watcher, shown, 'org.matrix.msc3026.busy', 'on the telephone');
        await say(shown, 'unavailable', 'at lunch');
        await sees(watcher, shown, 'unavailable', 'at lunch');
        await say(shown, 'offline');
        await sees(watcher, shown, 'offline');
      });

      it(`of a user of ${side} begins with their sync`, async () => {
        const [shown, watcher] = await pair(side, `sue-${side}`);
        const roomId = await shown.createRoom({ preset: 'public_chat' });
        await joinVia(watcher, roomId, shown.serverName);
        await get(shown, clientPath`/sync`, { timeout: '0' });
        await sees(watcher, shown, 'online');
      });

      it(`of a user of ${side} is told to whoever comes into their room, and not before`, async () => {
        const [shown, watcher] = await pair(side, `tom-${side}`);
        const roomId = await shown.createRoom({ preset: 'public_chat' });
        await say(shown, 'online', 'here already');
        const stranger = await watcher.http.get(statusPath(shown));
        expect(stranger.status, stranger.text).to.equal(403);
        await joinVia(watcher, roomId, shown.serverName);
        await sees(watcher, shown, 'online', 'here already');
      });

      it(`of a user of ${side} is told in the room that they come into`, async () => {
        const [shown, watcher] = await pair(side, `una-${side}`);
        const roomId = await watcher.createRoom({ preset: 'public_chat' });
        await say(shown, 'online', 'just come');
        await joinVia(shown, roomId, watcher.serverName);
        await sees(watcher, shown, 'online', 'just come');
      });
    }
  });
}
