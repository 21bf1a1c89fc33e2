import { expect } from 'chai';
import type { Services } from '../../../../src/http/kit/services.ts';
import { createDeviceUseNotes, DEVICE_USE_INTERVAL_MS } from '../../../../src/http/kit/device-use-notes.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';

const CALLER = {
  userId: '@a:x',
  deviceId: 'D',
  isAdmin: false,
  isGuest: false,
  isSuspended: false,
  tokenHash: 'h',
};

describe('notes of the use of devices', () => {
  it('are one for each token and interval', async () => {
    const clock = createFakeClock();
    const told: unknown[] = [];
    const accounts = { tell: (_message: string, use: unknown) => told.push(use) };
    const notes = createDeviceUseNotes({ accounts } as unknown as Pick<Services, 'accounts'>, clock);
    const from = () => ({ ip: '::1', userAgent: 'u'.repeat(1_000) });
    for (let count = 0; count < 10; count += 1) notes.note(CALLER, from);
    expect(told).to.deep.equal([{ userId: '@a:x', deviceId: 'D', ip: '::1', userAgent: 'u'.repeat(256) }]);
    notes.note({ ...CALLER, tokenHash: 'i' }, from);
    expect(told).to.have.length(2);
    await clock.advance(DEVICE_USE_INTERVAL_MS - 1);
    notes.note(CALLER, from);
    expect(told).to.have.length(2);
    await clock.advance(1);
    notes.note(CALLER, from);
    expect(told).to.have.length(3);
  });
});
