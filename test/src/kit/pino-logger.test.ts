import { expect } from 'chai';
import { batchLines, LOG_BATCH_BYTES } from '../../../src/kit/log-batch.ts';
import { createLogLevelSwitch } from '../../../src/kit/log-levels.ts';
import { createLogger } from '../../../src/kit/pino-logger.ts';

describe('logger', () => {
  const NOW = Date.UTC(2026, 0, 2);

  it('writes one JSON object a line with time, level, thread, message and fields', () => {
    const lines: string[] = [];
    const log = createLogger({
      level: 'info',
      thread: 'store',
      sink: (line) => lines.push(line),
      now: () => NOW,
    });
    log.child({ actor: 'rooms' }).warn('slow', { ms: 5 });
    log.debug('dropped');
    expect(lines).to.have.length(1);
    expect(JSON.parse(lines[0] ?? '')).to.deep.equal({
      level: 'warn',
      time: '2026-01-02T00:00:00.000Z',
      thread: 'store',
      actor: 'rooms',
      ms: 5,
      message: 'slow',
    });
  });

  it('keeps the stack of an error', () => {
    const lines: string[] = [];
    const log = createLogger({
      level: 'info',
      thread: 'main',
      sink: (line) => lines.push(line),
      now: () => NOW,
    });
    log.error('crashed', { error: new Error('broken') });
    const line = JSON.parse(lines[0] ?? '') as { error: { message: string; stack: string } };
    expect(line.error.message).to.equal('broken');
    expect(line.error.stack).to.include('pino-logger.test.ts');
  });
});

describe('log batch', () => {
  it('hands on the lines of one turn as one piece, and a large piece at once', () => {
    const sent: string[] = [];
    const deferred: (() => void)[] = [];
    const sink = batchLines(
      (lines) => sent.push(lines),
      (action) => deferred.push(action),
    );
    sink('a\n');
    sink('b\n');
    expect(sent).to.deep.equal([]);
    deferred.shift()?.();
    expect(sent).to.deep.equal(['a\nb\n']);
    sink('x'.repeat(LOG_BATCH_BYTES));
    expect(sent).to.have.length(2);
    deferred.shift()?.();
    expect(sent, 'nothing is sent twice').to.have.length(2);
  });
});

describe('log levels', () => {
  it('change while loggers are held: of everything, of a thread, of an actor', () => {
    const lines: string[] = [];
    const levels = createLogLevelSwitch('info');
    const log = createLogger({
      level: levels,
      thread: 'store',
      sink: (line) => lines.push(line),
      now: () => 0,
    });
    const rooms = log.child({ actor: 'rooms' }).child({ room: '!r' });
    const written = (): string[] => {
      log.debug('thread');
      rooms.debug('rooms');
      rooms.warn('trouble');
      return lines.splice(0).map((line) => (JSON.parse(line) as { message: string }).message);
    };
    expect(written()).to.deep.equal(['trouble']);
    levels.set({ level: 'debug', threads: {}, actors: {} });
    expect(written()).to.deep.equal(['thread', 'rooms', 'trouble']);
    levels.set({ level: 'info', threads: {}, actors: { rooms: 'debug' } });
    expect(written()).to.deep.equal(['rooms', 'trouble']);
    expect([log.level, rooms.level]).to.deep.equal(['info', 'debug']);
    levels.set({ level: 'debug', threads: { store: 'error' }, actors: { rooms: 'silent' } });
    expect(written()).to.deep.equal([]);
    levels.set({ level: 'debug', threads: { gateway: 'error' }, actors: {} });
    expect(written()).to.deep.equal(['thread', 'rooms', 'trouble']);
  });
});
