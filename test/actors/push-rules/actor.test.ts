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

    describe('copies the rules of a room', () => {
      const [OLD, NEW] = ['!old:example.com', '!new'];
      const own = (kind: string, ruleId: string, rule: object, enabled: number | null = null) => ({
        userId: ALICE,
        kind,
        ruleId,
        rule: JSON.stringify(rule),
        enabled,
        priority: 3,
      });
      const copy = async (): Promise<void> => {
        world.host
          .ref('push-rules')
          .tell('push-rules.copy-room', { userId: ALICE, fromRoomId: OLD, toRoomId: NEW });
        await world.host.idle();
      };
      const rulesOf = async (ruleId: string) =>
        (await stored())
          .filter((rule) => rule.ruleId === ruleId)
          .map(({ kind, rule, enabled }) => [kind, JSON.parse(rule ?? 'null'), enabled]);
      const about = (roomId: string) => ({
        actions: [],
        conditions: [
          { kind: 'event_match', key: 'room_id', pattern: roomId },
          { kind: 'event_match', key: 'content.body', pattern: OLD },
        ],
      });

      it('to the next one, in one write', async () => {
        await world.addPushRules(
          own('room', OLD, { actions: ['notify'] }, 0),
          own('override', OLD, about(OLD)),
          own('content', OLD, { actions: ['notify'], pattern: OLD }),
          own('override', 'other', about(OLD)),
        );
        await copy();
        expect(await rulesOf(NEW)).to.deep.equal([
          ['override', about(NEW), null],
          ['room', { actions: ['notify'] }, 0],
        ]);
        expect((await rulesOf(OLD)).length).to.equal(3);
        expect(await rulesOf('other')).to.deep.equal([['override', about(OLD), null]]);
        expect(world.commits).to.equal(1);
        expect(world.rows(pushRulesStream)).to.deep.equal([{ position: 1, row: { userId: ALICE } }]);
        // Told again, it has nothing to do.
        await copy();
        expect([world.commits, (await rulesOf(NEW)).length]).to.deep.equal([1, 2]);
      });

      it('and never over one that the user has there', async () => {
        await world.addPushRules(
          own('room', OLD, { actions: ['notify'] }),
          own('room', NEW, { actions: [] }, 1),
        );
        await copy();
        expect(await rulesOf(NEW)).to.deep.equal([['room', { actions: [] }, 1]]);
      });

      it('not while storage cannot be written', async () => {
        await world.addPushRules(own('room', OLD, { actions: ['notify'] }));
        world.fault = 'disk-full';
        await copy();
        world.fault = null;
        expect(await rulesOf(NEW)).to.deep.equal([]);
        await copy();
        expect((await rulesOf(NEW)).length).to.equal(1);
      });
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
