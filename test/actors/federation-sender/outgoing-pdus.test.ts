import { expect } from 'chai';
import { createPduReader } from '../../../actors/federation-sender/outgoing-pdus.ts';
import type { OutgoingEvent } from '../../../db/federation-sender/event-reader.ts';
import { makeForeignRoom } from '../../support/foreign-room.ts';

describe('the events that go to other servers', () => {
  const room = makeForeignRoom();
  const content = { msgtype: 'm.text', body: 'a secret' };
  const { eventId, json } = room.add({ sender: room.creator, type: 'm.room.message', content });
  const event: OutgoingEvent = {
    eventNid: 7,
    eventId,
    roomVersion: room.version,
    pdu: JSON.stringify({ ...(JSON.parse(json) as object), unsigned: { age: 1 } }),
    isRedacted: 0,
  };

  it('are read once for all servers, without what was not signed', () => {
    const pduOf = createPduReader();
    const first = pduOf(event);
    expect(first).to.deep.equal(JSON.parse(json));
    expect(pduOf({ ...event })).to.equal(first);
  });

  it('are read anew once they are redacted, or stand there with another text', () => {
    const pduOf = createPduReader();
    pduOf(event);
    expect(pduOf({ ...event, isRedacted: 1 })['content']).to.deep.equal({});
    expect(pduOf(event)['content']).to.deep.equal(content);
    const other = JSON.stringify({ ...(JSON.parse(json) as object), content: {} });
    expect(pduOf({ ...event, pdu: other })['content']).to.deep.equal({});
  });
});
