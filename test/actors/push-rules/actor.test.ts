import { expect } from 'chai';
import { ACTIONS_BYTES_MAX } from '../../../actors/push-rules/actor.ts';
import type { PushRuleKind } from '../../../actors/push-rules/protocol.ts';
import { readPushRules } from '../../../db/push-rules/reader.ts';
import type { Json } from '../../../src/kit/json.ts';
import { pushRulesStream } from '../../../src/streams/push-rules-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';

for (const transport of TRANSPORTS)
  describe(`the push-rules actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['push-rules'], transport });
    });
    afterEach(() => world.stop());

    const enable = (ruleId: string, enabled: boolean, kind: PushRuleKind = 'override', userId = ALICE) =>
      world.host.ref('push-rules').ask('push-rules.set-enabled', { userId, kind, ruleId, enabled });
    const act = (ruleId: string, actions: readonly Json[], kind: PushRuleKind = 'override') =>
      world.host.ref('push-rules').ask('push-rules.set-actions', { userId: ALICE, kind, ruleId, actions });
    const stored = () => readPushRules(world.database.db, ALICE);

    it('keeps what a user changes of a default rule: each apart from the other', async () => {
      expect(await enable('.m.rule.master', true)).to.deep.equal({ kind: 'stored', position: 1 });
      expect(await act('.m.rule.master', ['notify'])).to.deep.equal({ kind: 'stored', position: 2 });
      const rule = { kind: 'override', ruleId: '.m.rule.master', rule: null, actions: '["notify"]' };
      expect(await stored()).to.deep.equal([{ ...rule, enabled: 1 }]);
      expect(await enable('.m.rule.master', false)).to.deep.equal({ kind: 'stored', position: 3 });
      expect(await stored()).to.deep.equal([{ ...rule, enabled: 0 }]);
      await world.host.idle();
      expect(world.rows(pushRulesStream)).to.deep.equal(
        [1, 2, 3].map((position) => ({ position, row: { userId: ALICE } })),
      );
    });

    it('changes at once lose nothing', async () => {
      await Promise.all([
        enable('.m.rule.master', true),
        act('.m.rule.master', ['notify']),
        enable('.m.rule.suppress_notices', false),
      ]);
      expect(
        (await stored()).map(({ ruleId, enabled, actions }) => [ruleId, enabled, actions]),
      ).to.deep.equal([
        ['.m.rule.master', 1, '["notify"]'],
        ['.m.rule.suppress_notices', 0, null],
      ]);
    });

    it('refuses a rule that there is not, of this kind or at all, and stores nothing', async () => {
      for (const answer of [
        await enable('.m.rule.nope', true),
        await enable('.m.rule.master', true, 'underride'),
        await act('own', []),
        await enable('!room:example.com', true, 'room'),
      ])
        expect(answer).to.deep.include({ kind: 'refused', errcode: 'M_NOT_FOUND', status: 404 });
      expect([await stored(), world.commits]).to.deep.equal([[], 0]);
    });

    it('bounds the actions', async () => {
      const actions = ['x'.repeat(ACTIONS_BYTES_MAX)];
      expect(await act('.m.rule.master', actions)).to.deep.include({ errcode: 'M_TOO_LARGE', status: 413 });
      expect(await stored()).to.deep.equal([]);
    });

    it('refuses while storage cannot be written, and works again; 4.4 the position stays', async () => {
      await enable('.m.rule.master', true);
      world.fault = 'disk-full';
      expect(await enable('.m.rule.master', false)).to.deep.include({ kind: 'refused', status: 503 });
      world.fault = null;
      await world.deleteAll('push_rules');
      await world.restartServer();
      expect(await enable('.m.rule.master', false)).to.deep.equal({ kind: 'stored', position: 2 });
    });
  });
