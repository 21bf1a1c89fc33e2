import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { silentLogger } from '../../../src/kit/logger.ts';
import { createSystemdNotifier } from '../../../src/systemd/systemd-notifier.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { missingNotify, type NotifySocket, openNotifySocket } from '../../support/notify-socket.ts';
import { eventually } from '../../support/person.ts';

const WATCHDOG_MICROS = 10_000_000;

describe('the notifier of systemd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-notifier-'));
  let socket: NotifySocket;

  before(async function () {
    const missing = missingNotify();
    if (missing !== undefined) {
      process.stdout.write(`note: what systemd is told is not looked at: ${missing}\n`);
      this.skip();
    }
    socket = await openNotifySocket(join(folder, 'notify'));
  });
  after(() => {
    socket?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('feeds the watchdog twice in its time, and lets it starve while something is beyond repair', async () => {
    const before = process.env['NOTIFY_SOCKET'];
    // The sender inherits the environment of this process.
    process.env['NOTIFY_SOCKET'] = socket.path;
    try {
      const clock = createFakeClock();
      const environment = { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: String(WATCHDOG_MICROS) };
      const notifier = createSystemdNotifier({
        environment,
        clock,
        log: silentLogger,
        monotonicMicros: () => 7n,
      });
      let lost: readonly string[] = [];
      notifier.ready('Serving\nexample.org', () => lost);
      const heard = (): string[] =>
        socket.messages().map((message) =>
          Object.entries(message)
            .map((pair) => pair.join('='))
            .join(' '),
        );
      const first = ['READY=1 STATUS=Serving example.org', 'WATCHDOG=1'];
      await eventually('the first messages', () => heard().length === 2);
      expect(heard()).to.deep.equal(first);
      await clock.advance(5_000);
      await eventually('food', () => heard().length === 3);
      lost = ['thread gateway-1'];
      await clock.advance(20_000);
      notifier.reloading(() => 'done');
      lost = [];
      await clock.advance(5_000);
      await eventually('food again', () => heard().length === 7);
      expect(heard()).to.deep.equal([
        ...first,
        'WATCHDOG=1',
        'STATUS=Beyond repair: thread gateway-1',
        'RELOADING=1 MONOTONIC_USEC=7',
        'READY=1 STATUS=done',
        'WATCHDOG=1',
      ]);
    } finally {
      if (before === undefined) delete process.env['NOTIFY_SOCKET'];
      else process.env['NOTIFY_SOCKET'] = before;
    }
  });

  it('starts nothing and sets no timer where nobody listens', () => {
    const clock = createFakeClock();
    const notifier = createSystemdNotifier({
      environment: { WATCHDOG_USEC: '10' },
      clock,
      log: silentLogger,
      monotonicMicros: () => 7n,
    });
    notifier.ready('Serving', () => []);
    notifier.stopping();
    let reloads = 0;
    notifier.reloading(() => `${(reloads += 1)}`);
    expect([clock.pendingTimers, reloads]).to.deep.equal([0, 1]);
  });
});
