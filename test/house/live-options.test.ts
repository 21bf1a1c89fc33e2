import { expect } from 'chai';
import { namedOptions } from '../../src/config/config-changes.ts';
import { configSchema } from '../../src/config/schema.ts';
import { environmentName } from '../../src/config/layer.ts';
import { eventually } from '../support/person.ts';
import { LIVE_CASES } from './live-options/live-cases.ts';
import type { LiveCase } from './live-options/live-sights.ts';
import { openLiveWorld, type LiveWorld } from './live-options/live-world.ts';

const TIMEOUT_MS = 60_000;
const PATIENCE_MS = 5_000;

const OPTIONS = namedOptions(configSchema(['1', '10', '11', '12']));

describe('options that change while the server runs', function () {
  this.timeout(TIMEOUT_MS);
  let world: LiveWorld;

  before(async () => {
    world = await openLiveWorld();
  });
  after(() => world?.close());

  it('have a case here each, and no other option has one', () => {
    const live = OPTIONS.filter(({ option }) => option.changes === 'live').map(({ name }) => name);
    expect(Object.keys(LIVE_CASES).toSorted()).to.deep.equal(live.toSorted());
  });

  for (const [name, liveCase] of Object.entries<LiveCase>(LIVE_CASES))
    it(`${name} takes effect without a restart`, async () => {
      const [section = '', key = ''] = name.split('.');
      const { values, with: others = {}, see } = liveCase;
      for (const [toml, expected] of values) {
        const report = world.reconfigure({
          ...others,
          [environmentName(section, key)]: toml.replace('PEER', world.peer.serverName),
        });
        expect(report.problems, name).to.deep.equal([]);
        let seen: unknown;
        await eventually(
          `${name} = ${toml}`,
          async () => {
            seen = await see(world);
            return JSON.stringify(seen) === JSON.stringify(expected);
          },
          PATIENCE_MS,
        ).catch(() => expect(seen, `${name} = ${toml}`).to.deep.equal(expected));
      }
    });
});
