import { expect } from 'chai';
import { createClient, type MatrixClient, type MatrixEvent } from 'matrix-js-sdk';
import { ENCRYPTED } from '../../support/encrypting-client.ts';
import { eventually, textOf } from '../../support/person.ts';
import { quiet, startSyncing } from '../../support/sdk-client.ts';
import { clientPath, type Guest, get, type Meeting } from '../../support/synapse/meeting.ts';

/** Real clients, which trust nobody's word for it. */
export function describeEncryption(getMeeting: () => Meeting): void {
  describe('encryption', () => {
    const clients: MatrixClient[] = [];
    after(() => {
      for (const client of clients) client.stopClient();
    });

    async function encrypting(baseUrl: string, guest: Guest): Promise<MatrixClient> {
      const deviceId = textOf(await get(guest, clientPath`/account/whoami`), 'device_id');
      const session = { userId: guest.userId, deviceId, accessToken: guest.token };
      const client = createClient({ baseUrl, ...session, logger: quiet });
      clients.push(client);
      await client.initRustCrypto({ useIndexedDB: false });
      await startSyncing(client);
      return client;
    }

    /** Waits until a client has read what nobody between could. */
    async function reads(client: MatrixClient, roomId: string, text: string): Promise<MatrixEvent> {
      const event = await eventually(`${text} at ${client.getUserId()}`, () =>
        client
          .getRoom(roomId)
          ?.getLiveTimeline()
          .getEvents()
          .find((one) => one.getContent()['body'] === text && !one.isSending()),
      );
      expect(event.getWireType()).to.equal('m.room.encrypted');
      expect(JSON.stringify(event.event)).to.not.include(text);
      return event;
    }

    it('carries secrets from client to client, both ways', async () => {
      const meeting = getMeeting();
      const { troupe, synapse } = meeting;
      const pat = await encrypting(troupe.url, await meeting.guest('troupe', 'pat'));
      const quin = await encrypting(synapse.url, await meeting.guest('synapse', 'quin'));
      const { room_id: roomId } = await pat.createRoom({
        initial_state: [ENCRYPTED],
        invite: [quin.getSafeUserId()],
      });
      await eventually('the invitation', () => quin.getRoom(roomId)?.getMyMembership() === 'invite');
      await quin.joinRoom(roomId);
      await eventually(
        'the join',
        () => pat.getRoom(roomId)?.getMember(quin.getSafeUserId())?.membership === 'join',
      );
      await eventually('the room', () => quin.getRoom(roomId)?.hasEncryptionStateEvent());
      await pat.sendTextMessage(roomId, 'for your eyes only');
      await reads(quin, roomId, 'for your eyes only');
      await quin.sendTextMessage(roomId, 'my lips are sealed');
      await reads(pat, roomId, 'my lips are sealed');
    });
  });
}
