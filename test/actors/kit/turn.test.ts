import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { ActorDefinition } from '../../../actors/kit/actor.ts';
import type { Tell } from '../../../actors/kit/protocol.ts';
import { MESSAGES_PER_TURN_MAX } from '../../../actors/kit/turn.ts';
import { createActorHost } from '../../support/actor-host.ts';

type PlayerProtocol = { 'player.hit': Tell<number> };

interface PlayerMap {
  readonly ping: PlayerProtocol;
  readonly pong: PlayerProtocol;
}

describe('turns', () => {
  it('R16 actors that keep each other busy give the event loop its turns', async () => {
    const rounds = MESSAGES_PER_TURN_MAX * 3;
    let hits = 0;
    const play = (
      name: string,
      other: keyof PlayerMap,
    ): ActorDefinition<PlayerProtocol, PlayerMap, null> => ({
      name,
      mailbox: { limit: 2, whenFull: 'refuse' },
      order: { kind: 'serial' },
      start: (context) => ({
        handlers: {
          'player.hit'(left) {
            hits += 1;
            if (left > 0) context.ref(other).tell('player.hit', left - 1);
          },
        },
      }),
    });
    const host = await createActorHost<PlayerMap, null>({
      transport: 'same-thread',
      env: null,
      actors: [play('ping', 'pong'), play('pong', 'ping')],
    });
    const hitsByTurn: number[] = [];
    host.ref('ping').tell('player.hit', rounds);
    let before = 0;
    for (let isOver = false; !isOver; isOver = hits > rounds) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      hitsByTurn.push(hits - before);
      before = hits;
    }
    expect(Math.max(...hitsByTurn)).to.be.at.most(MESSAGES_PER_TURN_MAX + 1);
    await host.stop();
  });
});

describe('the seam', () => {
  const folder = new URL('../../../actors/kit/', import.meta.url);
  /** Where the platform is behind the seam. */
  const BEHIND = new Set(['scheduler.ts']);
  const FORBIDDEN =
    /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|nextTick|Date\.now|new Date|Math\.random|performance\.now|process\.env|console\.)\b/;

  it('R37 the kit uses no time, chance or turns but those it is given', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.ts') && !BEHIND.has(name));
    expect(files).to.have.lengthOf.at.least(20);
    for (const name of files) {
      const source = readFileSync(new URL(name, folder), 'utf8').replaceAll(/\/\*\*[^]*?\*\/|\/\/.*/g, '');
      expect(FORBIDDEN.exec(source)?.[0], name).to.equal(undefined);
    }
  });
});
