import { expect } from 'chai';
import { PushProcessor } from 'matrix-js-sdk/lib/pushprocessor.js';
import type { JsonObject, Json } from '../../../../src/kit/json.ts';
import { type Random, seededRandom, systemRandom } from '../../../../src/kit/random.ts';
import type { EventFacts, PushUser } from '../../../../src/matrix/push/condition.ts';
import { compileCondition } from '../../../../src/matrix/push/condition.ts';
import {
  applyUserChanges,
  defaultPushRules,
  PUSH_RULE_KINDS,
  type PushRule,
  type PushRuleset,
  rulesOfKind,
} from '../../../../src/matrix/push/default-rules.ts';
import {
  type CompiledRules,
  compileRules,
  evaluate,
  evaluateForMany,
  outcomeOf,
  type PushOutcome,
  shapeOfRules,
} from '../../../../src/matrix/push/evaluator.ts';
import { compileGlob, compileWords } from '../../../../src/matrix/push/glob.ts';
import { parseMemberCount } from '../../../../src/matrix/push/member-count.ts';
import { readVectors } from '../vectors/read-vectors.ts';

interface Vectors {
  readonly event_conditions: readonly {
    readonly condition: JsonObject;
    readonly content: JsonObject;
    readonly match: boolean;
  }[];
  readonly room_member_count: readonly {
    readonly is: string;
    readonly count: number;
    readonly match: boolean;
  }[];
  readonly glob: {
    readonly cases: readonly { readonly pattern: string; readonly value: string; readonly match: boolean }[];
  };
}

const vectors = readVectors('push-conditions') as Vectors;
const BOB: PushUser = { userId: '@bob:b', displayName: 'Bob' };

function factsOf(event: JsonObject, memberCount = 3, mayNotify = true): EventFacts {
  return { event, memberCount, senderMayNotify: () => mayNotify, threadSubscribers: null };
}

describe('push conditions', () => {
  it('know when a group call begins (MSC3914)', () => {
    const holds = (content: JsonObject, replacedContent?: JsonObject | null): boolean => {
      const facts = { ...factsOf({ type: 'org.matrix.msc3401.call', content }) };
      return compileCondition({ kind: 'org.matrix.msc3914.call_started' }).holds(
        replacedContent === undefined ? facts : { ...facts, replacedContent },
        BOB,
      );
    };
    expect(holds({ 'm.intent': 'm.ring' })).to.equal(true);
    expect(holds({ 'm.intent': 'm.prompt' }, null)).to.equal(true);
    expect(holds({ 'm.intent': 'm.prompt' }, { 'm.terminated': 'call_ended' })).to.equal(true);
    expect(holds({ 'm.intent': 'm.ring' }, { 'm.intent': 'm.ring' })).to.equal(false);
    expect(holds({ 'm.intent': 'm.ring', 'm.terminated': 'call_ended' })).to.equal(false);
    expect(holds({ 'm.intent': 'm.room' })).to.equal(false);
  });

  it('match as the vectors say', () => {
    expect(vectors.event_conditions.length).to.be.greaterThan(30);
    for (const { condition, content, match } of vectors.event_conditions) {
      const facts = factsOf({ type: 'm.room.message', sender: '@a:b', room_id: '!r', content });
      expect(compileCondition(condition).holds(facts, BOB), JSON.stringify({ condition, content })).to.equal(
        match,
      );
    }
    for (const { is, count, match } of vectors.room_member_count)
      expect(parseMemberCount(is)?.(count) ?? false, `${is} ${count}`).to.equal(match);
    for (const { pattern, value, match } of vectors.glob.cases)
      expect(compileGlob(pattern, 'whole')(value), `${pattern} ${value}`).to.equal(match);
  });

  it('take as long for a pattern with many stars as the text is long', () => {
    const matches = compileGlob(`${'a*'.repeat(40)}b`, 'words');
    const start = performance.now();
    expect(matches('a'.repeat(20_000))).to.equal(false);
    expect(performance.now() - start).to.be.lessThan(1_000);
  });

  it('find display names as whole words, and an empty one nowhere', () => {
    expect(compileWords('bob (x)*')('hello Bob (X)*!')).to.equal(true);
    expect(compileWords('bob')('hello bobby, bob')).to.equal(true);
    expect(compileWords('bob')('hello bobby')).to.equal(false);
    expect(compileWords('')('hello')).to.equal(false);
  });

  it('look at the sender and the room', () => {
    const permission = compileCondition({ kind: 'sender_notification_permission', key: 'room' });
    expect(permission.holds(factsOf({}, 3, true), BOB)).to.equal(true);
    expect(permission.holds(factsOf({}, 3, false), BOB)).to.equal(false);
    const count = compileCondition({ kind: 'room_member_count', is: '<=2' });
    expect([2, 3].map((members) => count.holds(factsOf({}, members), BOB))).to.deep.equal([true, false]);
  });
});

describe('push actions', () => {
  it('are normalised', () => {
    const plain = (outcome: PushOutcome) => [outcome.notify, outcome.highlight, outcome.actions.length];
    expect(plain(outcomeOf([]))).to.deep.equal([false, false, 0]);
    expect(plain(outcomeOf(['dont_notify', 'coalesce', 'nonsense']))).to.deep.equal([false, false, 0]);
    expect(plain(outcomeOf(['notify', { set_tweak: 'highlight' }]))).to.deep.equal([true, true, 2]);
    expect(plain(outcomeOf(['notify', { set_tweak: 'highlight', value: false }]))).to.deep.equal([
      true,
      false,
      2,
    ]);
    expect(plain(outcomeOf([{ set_tweak: 'highlight' }]))).to.deep.equal([false, false, 1]);
  });
});

const USERS = ['@alice:b', '@bob:b', '@carol:b'];
// Without a question mark, which the client takes for a dot: the vectors have some.
const WORDS = ['cake', 'Bob', 'bobby', 'a_b', '*', 'c*e', 'ca*', '@bob:b', '', 'x cake y'];

function makeChooser(random: Random) {
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)] as T;
  const values: readonly Json[] = [...WORDS, 1, true, null, [...USERS]];
  const condition = (userId: string): JsonObject =>
    pick<JsonObject>([
      { kind: 'event_match', key: 'type', pattern: pick(['m.room.message', 'm.*', 'M.ROOM.*']) },
      { kind: 'event_match', key: 'content.body', pattern: pick(WORDS) },
      { kind: 'event_match', key: 'content.word', pattern: pick([...WORDS, userId]) },
      { kind: 'event_match', key: 'sender', pattern: pick([userId, '@*:b']) },
      { kind: 'event_property_is', key: 'content.word', value: pick([...WORDS, userId, 1, true, null]) },
      {
        kind: 'event_property_contains',
        key: 'content.m\\.mentions.user_ids',
        value: pick(['@x:b', userId]),
      },
      { kind: 'contains_display_name' },
      { kind: 'room_member_count', is: pick(['2', '>2', '<=3', 'x']) },
      { kind: 'sender_notification_permission', key: 'room' },
      { kind: 'unknown' },
    ]);
  const rule = (kind: string, userId: string): PushRule => ({
    rule_id: kind === 'room' ? pick(['!r', '!other']) : kind === 'sender' ? pick(USERS) : random.text(8),
    default: false,
    enabled: random.integer(4) > 0,
    // The client makes a highlight of every content rule that does not say that it is none.
    actions: pick<readonly Json[]>([
      [],
      ['notify', { set_tweak: 'highlight', value: false }],
      ['notify', { set_tweak: 'highlight' }],
    ]),
    // For the client a content rule with an empty pattern is none.
    ...(kind === 'content' ? { pattern: pick(WORDS.filter((word) => word !== '')) } : {}),
    ...(kind === 'override' || kind === 'underride'
      ? { conditions: Array.from({ length: random.integer(3) }, () => condition(userId)) }
      : {}),
  });
  const some = (kind: string, userId: string): readonly PushRule[] =>
    Array.from({ length: random.integer(3) }, () => rule(kind, userId));
  const rules = (userId: string): PushRuleset => {
    const byDefault = defaultPushRules(userId);
    if (random.integer(3) === 0) return byDefault;
    return Object.fromEntries(
      // Of the kind for threads nobody has rules of their own, and the client knows none.
      PUSH_RULE_KINDS.filter((kind) => kind !== 'postcontent').map((kind) => [
        kind,
        [...some(kind, userId), ...rulesOfKind(byDefault, kind)],
      ]),
    ) as unknown as PushRuleset;
  };
  const event = (): JsonObject => ({
    type: pick(['m.room.message', 'm.room.encrypted', 'm.reaction', 'm.room.tombstone', 'm.room.member']),
    sender: pick(USERS),
    room_id: '!r',
    event_id: '$e',
    ...(random.integer(3) === 0 ? { state_key: pick(['', ...USERS]) } : {}),
    content: {
      body: pick([...WORDS, 'hello Bob, cake?', 7]),
      msgtype: pick(['m.text', 'm.notice']),
      word: pick(values),
      membership: pick(['join', 'invite']),
      ...(random.integer(2) === 0
        ? { 'm.mentions': { user_ids: [pick(USERS)], room: pick<Json>([true, false, 'x']) } }
        : {}),
      ...(random.integer(4) === 0 ? { 'm.relates_to': { rel_type: 'm.replace' } } : {}),
    },
  });
  return { rules, event, pick };
}

/** The client that most people use, as far as it takes to ask it about one event. */
function sdkSays(rules: PushRuleset, event: JsonObject, user: PushUser, memberCount: number, level: boolean) {
  const room = {
    currentState: {
      getJoinedMemberCount: () => memberCount,
      mayTriggerNotifOfType: () => level,
      members: {},
      getMember: () => ({ name: user.displayName }),
    },
  };
  const client = {
    pushRules: { global: rules },
    getRoom: () => room,
    credentials: { userId: user.userId },
    getUserId: () => user.userId,
    getSafeUserId: () => user.userId,
    supportsIntentionalMentions: () => true,
  };
  const sdkEvent = {
    // It looks for the sender under the name of old.
    event: { ...event, user_id: event['sender'] },
    getType: () => event['type'],
    getContent: () => event['content'],
    getWireContent: () => event['content'],
    getRoomId: () => event['room_id'],
    getSender: () => event['sender'],
    isState: () => event['state_key'] !== undefined,
    isEncrypted: () => false,
    getId: () => event['event_id'],
  };
  const processor = new PushProcessor(client as never);
  // It says nothing of what it does not do.
  const actions: { readonly notify?: boolean; readonly tweaks: { readonly highlight?: boolean } } =
    processor.actionsForEvent(sdkEvent as never);
  return {
    notify: actions.notify ?? false,
    highlight: actions.notify === true && actions.tweaks.highlight === true,
  };
}

describe('push rules', () => {
  const seed = systemRandom.integer(2 ** 31);

  it(`say what matrix-js-sdk says, for many at once as for each alone (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const { rules: makeRules, event: makeEvent, pick } = makeChooser(random);
    let notified = 0;
    for (let round = 0; round < 400; round += 1) {
      const event = makeEvent();
      const members = pick([2, 3, 4]);
      const level = random.integer(2) === 0;
      const facts = factsOf(event, members, level);
      const together = evaluateForMany(facts);
      // Nobody is notified of what they do themselves.
      for (const userId of USERS.filter((one) => one !== event['sender'])) {
        const rules = makeRules(userId);
        const user = { userId, displayName: pick(['Bob', 'cake', 'Someone Else']) };
        const compiled = compileRules(shapeOfRules(rules, userId));
        const { notify, highlight } = evaluate(compiled, facts, user);
        const own = PUSH_RULE_KINDS.map((kind) => rulesOfKind(rules, kind).filter((one) => !one.default));
        const what = JSON.stringify({ round, event, user, members, level, own });
        expect({ notify, highlight }, what).to.deep.equal(sdkSays(rules, event, user, members, level));
        expect(together(compiled, user), what).to.equal(evaluate(compiled, facts, user));
        notified += notify ? 1 : 0;
      }
    }
    expect(notified).to.be.greaterThan(50);
  });

  it('are one for all users who have changed nothing', () => {
    const shapes = new Set(USERS.map((userId) => shapeOfRules(defaultPushRules(userId), userId)));
    expect(shapes.size).to.equal(1);
    const compiled = compileRules([...shapes][0] ?? '');
    const mention = { user_ids: ['@bob:b'] };
    const event = {
      type: 'm.room.message',
      sender: '@alice:b',
      content: { body: 'x', 'm.mentions': mention },
    };
    const say = evaluateForMany(factsOf(event));
    const highlights = USERS.map((userId) => say(compiled, { userId, displayName: null }).highlight);
    expect(highlights).to.deep.equal([false, true, false]);
  });

  describe('of who has subscribed to threads (MSC4306)', () => {
    const knowing = (userId: string, knowsThreads = true): CompiledRules =>
      compileRules(shapeOfRules(defaultPushRules(userId, { knowsThreads }), userId));
    const reply = (threadSubscribers: ReadonlySet<string> | null, content: JsonObject = {}): EventFacts => ({
      ...factsOf({
        type: 'm.room.message',
        sender: '@alice:b',
        room_id: '!r',
        content: { body: 'x', ...content },
      }),
      threadSubscribers,
    });
    const SOUND = { set_tweak: 'sound', value: 'default' };
    const user = (userId: string): PushUser => ({ userId, displayName: null });

    it('notify of threads that they have subscribed to, and of no others but for mentions and keywords', () => {
      const rules = knowing('@bob:b');
      const say = (facts: EventFacts): readonly Json[] => evaluate(rules, facts, user('@bob:b')).actions;
      expect(say(reply(null)), 'in no thread').to.deep.equal(['notify']);
      expect(say(reply(new Set()))).to.deep.equal([]);
      expect(say(reply(new Set(['@carol:b'])))).to.deep.equal([]);
      expect(say(reply(new Set(['@bob:b'])))).to.deep.equal(['notify', SOUND]);
      const mention = { 'm.mentions': { user_ids: ['@bob:b'] } };
      expect(evaluate(rules, reply(new Set(), mention), user('@bob:b')).highlight).to.equal(true);
      const others = knowing('@bob:b', false);
      expect(
        evaluate(others, reply(new Set()), user('@bob:b')).actions,
        'who knows no threads',
      ).to.deep.equal(['notify']);
    });

    it('stand before those of rooms: a muted room is heard in its thread, and after keywords', () => {
      const change = { enabled: null, actions: null, priority: 0 };
      const changed = applyUserChanges(defaultPushRules('@bob:b', { knowsThreads: true }), [
        { ...change, kind: 'room', ruleId: '!r', rule: { actions: [] } },
        { ...change, kind: 'content', ruleId: 'cake', rule: { pattern: 'cake', actions: ['notify'] } },
      ]);
      const rules = compileRules(shapeOfRules(changed, '@bob:b'));
      const say = (facts: EventFacts): boolean => evaluate(rules, facts, user('@bob:b')).notify;
      expect(say(reply(null))).to.equal(false);
      expect(say(reply(new Set(['@bob:b'])))).to.equal(true);
      expect(say(reply(new Set()))).to.equal(false);
      expect(say(reply(new Set(), { body: 'cake' }))).to.equal(true);
    });

    it('are evaluated for many at once as for each alone', () => {
      for (const subscribers of [null, new Set<string>(), new Set(['@bob:b']), new Set(USERS)]) {
        const facts = reply(subscribers);
        const together = evaluateForMany(facts);
        for (const userId of USERS)
          for (const rules of [knowing(userId), knowing(userId, false)])
            expect(together(rules, user(userId)), userId).to.deep.equal(evaluate(rules, facts, user(userId)));
      }
    });
  });
});
