import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import { clientPath, type Guest, get, joinVia, type Meeting, put } from '../../support/synapse/meeting.ts';
import { okBody, textOf } from '../../support/person.ts';
import { messageOf } from '../../support/watcher.ts';

/** What is said, corrected, taken back and shown in a room of both. */
export function describeMessages(getMeeting: () => Meeting): void {
  describe('what is said', () => {
    let cat: Guest;
    let dan: Guest;
    let roomId: string;

    before(async () => {
      cat = await getMeeting().guest('troupe', 'cat');
      dan = await getMeeting().guest('synapse', 'dan');
      roomId = await cat.createRoom({ preset: 'public_chat' });
      await joinVia(dan, roomId, cat.serverName);
    });
    const ways = (): readonly (readonly [Guest, Guest])[] => [
      [cat, dan],
      [dan, cat],
    ];

    it('is corrected both ways', async () => {
      for (const [writer, reader] of ways()) {
        const target = await writer.send(roomId, `edit-${writer.userId}`, `helo from ${writer.userId}`);
        await put(writer, clientPath`/rooms/${roomId}/send/m.room.message/edited-${writer.userId}`, {
          msgtype: 'm.text',
          body: '* hello',
          'm.new_content': { msgtype: 'm.text', body: 'hello' },
          'm.relates_to': { rel_type: 'm.replace', event_id: target },
        });
        const edit = await reader.until('the edit', (seen) =>
          seen
            .events(roomId)
            .find(
              ({ sender, content }) => sender === writer.userId && content['m.new_content'] !== undefined,
            ),
        );
        const shown = await get(reader, clientPath`/rooms/${roomId}/event/${target}`);
        const relations = (shown['unsigned'] as JsonObject)['m.relations'] as JsonObject;
        expect((relations['m.replace'] as JsonObject)['event_id']).to.equal(edit.event_id);
      }
    });

    it('is taken back both ways', async () => {
      for (const [writer, reader] of ways()) {
        const text = `a secret of ${writer.userId}`;
        const target = await writer.send(roomId, `secret-${writer.userId}`, text);
        await reader.until('the secret', (seen) => messageOf(seen, roomId, text));
        await put(writer, clientPath`/rooms/${roomId}/redact/${target}/redacted-${writer.userId}`, {
          reason: 'oops',
        });
        await reader.until('the redaction', (seen) =>
          seen
            .events(roomId)
            .find(({ type, sender }) => type === 'm.room.redaction' && sender === writer.userId),
        );
        const shown = await get(reader, clientPath`/rooms/${roomId}/event/${target}`);
        expect(shown['content']).to.deep.equal({});
      }
    });

    it('comes with pictures both ways, and their thumbnails', async () => {
      const png = Buffer.from(
        'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
        'base64',
      );
      for (const [writer, reader] of ways()) {
        const uploaded = await writer.http.post('/_matrix/media/v3/upload', undefined, {
          rawBody: png,
          headers: { 'Content-Type': 'image/png' },
          query: { filename: 'dot.png' },
        });
        const [, serverName = '', mediaId = ''] =
          /^mxc:\/\/([^/]+)\/(.+)$/.exec(textOf(okBody(uploaded, 'upload'), 'content_uri')) ?? [];
        const media = `/_matrix/client/v1/media/download/${serverName}/${mediaId}`;
        const answer = await reader.http.get(media);
        expect(answer.status, answer.text.slice(0, 200)).to.equal(200);
        expect(answer.headers['content-type']).to.equal('image/png');
        expect(Number(answer.headers['content-length'] ?? png.length)).to.equal(png.length);
        const thumbnail = await reader.http.get(
          `/_matrix/client/v1/media/thumbnail/${serverName}/${mediaId}`,
          { query: { width: 32, height: 32, method: 'scale' } },
        );
        expect(thumbnail.status, thumbnail.text.slice(0, 200)).to.equal(200);
        expect(thumbnail.headers['content-type']).to.match(/^image\//);
      }
    });

    it('is read, and being written, for the others to see', async () => {
      for (const [writer, reader] of ways()) {
        const text = `read this, says ${writer.userId}`;
        await reader.type(roomId, true);
        await writer.until('typing', (seen) =>
          (seen.ephemeral(roomId, 'm.typing')?.['user_ids'] as readonly string[] | undefined)?.includes(
            reader.userId,
          ),
        );
        await reader.type(roomId, false);
        const eventId = await writer.send(roomId, `read-${writer.userId}`, text);
        await reader.until('the message', (seen) => messageOf(seen, roomId, text));
        await reader.receipt(roomId, eventId);
        await writer.until('the receipt', (seen) => {
          const receipts = seen.ephemeral(roomId, 'm.receipt')?.[eventId] as JsonObject | undefined;
          return (receipts?.['m.read'] as JsonObject | undefined)?.[reader.userId] !== undefined;
        });
      }
    });
  });
}
