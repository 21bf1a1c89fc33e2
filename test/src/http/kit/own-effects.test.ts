import { expect } from 'chai';
import { seeOwnEffects } from '../../../../src/http/kit/own-effects.ts';
import type { StreamViews } from '../../../../src/streams/view.ts';

describe('own effects', () => {
  it('are waited for on every stream', async () => {
    const waiting = new Map<string, (reached: boolean) => void>();
    const reached: StreamViews['reached'] = (stream, position) =>
      new Promise((resolve) => {
        waiting.set(`${stream} ${position}`, resolve);
      });
    let isDone = false;
    const marks = [
      { stream: 'caches', position: 7 },
      { stream: 'events', position: 9 },
    ];
    const wait = async (): Promise<void> => {
      await seeOwnEffects({ reached } as StreamViews, marks);
      isDone = true;
    };
    const done = wait();
    expect([...waiting.keys()]).to.deep.equal(['caches 7', 'events 9']);
    waiting.get('events 9')?.(true);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(isDone).to.equal(false);
    // A view that does not get there in time is no reason to keep the client waiting for ever.
    waiting.get('caches 7')?.(false);
    await done;
  });
});
