import { expect } from 'chai';
import type { Json, JsonObject } from '../../../../src/kit/json.ts';
import { everywhere, makeRoom } from './auth-room.ts';
import type { Question, RoomOptions } from './auth-room.ts';

/** Levels that everybody may change, so that only the rules on the change itself decide. */
const BASE: JsonObject = { events: { 'm.room.power_levels': 0, 'm.room.name': 50, 'x.high': 60 } };

interface LevelsCase {
  readonly name: string;
  /** Laid over the levels of the room, which are laid over {@link BASE}. */
  readonly before?: JsonObject;
  readonly content: JsonObject;
  readonly sender?: string;
  readonly room?: RoomOptions;
  readonly expected: Readonly<Record<string, string>>;
}

/** `10.…` in versions 1–5, `9.…` in 6–9, in 10 and 11, and `10.…` in 12. */
function levelsRule(upTo9: string, in10: string, in12: string): Readonly<Record<string, string>> {
  return {
    '1': `10.${upTo9}`,
    '5': `10.${upTo9}`,
    '6': `9.${upTo9}`,
    '9': `9.${upTo9}`,
    '10': `9.${in10}`,
    '12': `10.${in12}`,
  };
}

const SHAPES: readonly LevelsCase[] = [
  {
    name: 'a scalar as text',
    content: { ban: '50' },
    expected: { '1': 'ok', '9': 'ok', '10': '9.1', '12': '10.1' },
  },
  { name: 'a scalar as fraction', content: { ban: 1.5 }, expected: { '1': 'ok', '10': '9.1', '12': '10.1' } },
  { name: 'a scalar as null', content: { kick: null }, expected: { '10': '9.1', '12': '10.1' } },
  {
    name: 'events with a text',
    content: { events: { a: '1' } },
    expected: { '1': 'ok', '9': 'ok', '10': '9.2', '12': '10.2' },
  },
  { name: 'events as a list', content: { events: [] }, expected: { '10': '9.2', '12': '10.2' } },
  {
    name: 'notifications with a text',
    content: { notifications: { room: '1' } },
    expected: { '10': '9.2', '12': '10.2' },
  },
  { name: 'users as a list', content: { users: [] }, expected: levelsRule('1', '3', '3') },
  {
    name: 'users with a name that is no user id',
    content: { users: { bob: 1 } },
    expected: levelsRule('1', '3', '3'),
  },
  {
    name: 'users with a word',
    content: { users: { '@user:b': 'high' } },
    expected: levelsRule('1', '3', '3'),
  },
  {
    name: 'users with a number as text',
    content: { users: { '@user:b': ' +7 ' } },
    expected: { '1': 'ok', '9': 'ok', '10': '9.3', '12': '10.3' },
  },
  {
    name: 'users with a fraction',
    content: { users: { '@user:b': 7.9 } },
    expected: { '1': 'ok', '5': 'ok', '6': '9.1', '9': '9.1', '10': '9.3', '12': '10.3' },
  },
  {
    name: 'users with the creator',
    content: { users: { '@alice:a': 100 } },
    expected: { '10': 'ok', '11': 'ok', '12': '10.4' },
  },
  {
    name: 'users with an additional creator',
    room: { creationContent: { additional_creators: ['@x:y'] } },
    content: { users: { '@x:y': 100 } },
    expected: { '11': 'ok', '12': '10.4' },
  },
  { name: 'no users', content: {}, expected: everywhere('ok') },
];

describe('authorisation rules of the shape of power levels', () => {
  for (const { name, room, content, expected } of SHAPES) {
    for (const [id, rule] of Object.entries(expected)) {
      it(`version ${id}: ${name}: ${rule}`, () => {
        const ask: Question = { type: 'm.room.power_levels', stateKey: '', sender: '@alice:a', content };
        expect(makeRoom(id, { ...room, levels: null }).ask(ask)).to.equal(rule);
      });
    }
  }
});

const CHANGES: readonly LevelsCase[] = [
  {
    name: 'a scalar above the own level, lowered',
    before: { ban: 60 },
    content: { ban: 40 },
    expected: levelsRule('3.1', '5.1', '6.1'),
  },
  {
    name: 'a scalar above the own level, removed',
    before: { ban: 60 },
    content: { ban: null },
    expected: { '1': '10.3.1', '6': '9.3.1' },
  },
  {
    name: 'a scalar raised above the own level',
    before: { ban: 40 },
    content: { ban: 51 },
    expected: levelsRule('3.2', '5.2', '6.2'),
  },
  {
    name: 'a scalar set above the own level',
    content: { state_default: 51 },
    expected: levelsRule('3.2', '5.2', '6.2'),
  },
  {
    name: 'a scalar raised to the own level',
    before: { ban: 40 },
    content: { ban: 50 },
    expected: everywhere('ok'),
  },
  {
    name: 'a scalar above the own level, unchanged',
    before: { ban: 60 },
    content: { ban: 60 },
    expected: everywhere('ok'),
  },
  {
    name: 'a scalar above the own level, unchanged but written as text',
    before: { ban: 60 },
    content: { ban: '60' },
    expected: { '1': 'ok', '9': 'ok', '10': '9.1' },
  },
  {
    name: 'an event level above the own, lowered',
    content: { events: { ...(BASE['events'] as JsonObject), 'x.high': 10 } },
    expected: levelsRule('4.1', '6.1', '7.1'),
  },
  {
    name: 'an event level above the own, removed',
    content: { events: { 'm.room.power_levels': 0 } },
    expected: levelsRule('4.1', '6.1', '7.1'),
  },
  {
    name: 'an event level set above the own',
    content: { events: { ...(BASE['events'] as JsonObject), 'x.new': 51 } },
    expected: levelsRule('5.1', '7.1', '8.1'),
  },
  {
    name: 'an event level set to the own',
    content: { events: { ...(BASE['events'] as JsonObject), 'x.new': 50 } },
    expected: everywhere('ok'),
  },
  {
    name: 'a notification level above the own, lowered',
    before: { notifications: { room: 60 } },
    content: { notifications: { room: 10 } },
    expected: { '1': 'ok', '5': 'ok', '6': '9.4.1', '9': '9.4.1', '10': '9.6.1', '12': '10.7.1' },
  },
  {
    name: 'a notification level set above the own',
    content: { notifications: { room: 60 } },
    expected: { '1': 'ok', '5': 'ok', '6': '9.5.1', '10': '9.7.1', '12': '10.8.1' },
  },
  {
    name: 'a user of the own level, lowered',
    before: { users: { '@mod:a': 50, '@equal:b': 50 } },
    content: { users: { '@mod:a': 50, '@equal:b': 40 } },
    expected: levelsRule('6.1', '8.1', '9.1'),
  },
  {
    name: 'a user of the own level, removed',
    before: { users: { '@mod:a': 50, '@equal:b': 50 } },
    content: { users: { '@mod:a': 50 } },
    expected: levelsRule('6.1', '8.1', '9.1'),
  },
  {
    name: 'a user below the own level, raised to it',
    before: { users: { '@mod:a': 50, '@below:b': 49 } },
    content: { users: { '@mod:a': 50, '@below:b': 50 } },
    expected: everywhere('ok'),
  },
  {
    name: 'a user below the own level, raised above it',
    before: { users: { '@mod:a': 50, '@below:b': 49 } },
    content: { users: { '@mod:a': 50, '@below:b': 51 } },
    expected: levelsRule('7.1', '9.1', '10.1'),
  },
  {
    name: 'the own level, lowered',
    before: { users: { '@mod:a': 50 } },
    content: { users: { '@mod:a': 10 } },
    expected: everywhere('ok'),
  },
  {
    name: 'the own level, removed',
    before: { users: { '@mod:a': 50 } },
    content: { users: {} },
    expected: everywhere('ok'),
  },
  {
    name: 'the own level, raised',
    before: { users: { '@mod:a': 50 } },
    content: { users: { '@mod:a': 51 } },
    expected: levelsRule('7.1', '9.1', '10.1'),
  },
  {
    name: 'everything, by the creator of room version 12',
    before: { users: { '@mod:a': 50, '@high:b': 1_000_000 }, ban: 1_000_000 },
    content: { users: { '@mod:a': 9_007_199_254_740_991 }, ban: 1 },
    sender: '@alice:a',
    expected: { '11': '9.5.1', '12': 'ok' },
  },
];

describe('authorisation rules of changed power levels', () => {
  for (const { name, before, content, sender, expected } of CHANGES) {
    for (const [id, rule] of Object.entries(expected)) {
      it(`version ${id}: ${name}: ${rule}`, () => {
        const users = before?.['users'] ?? { '@mod:a': 50 };
        const levels = { ...BASE, ...before, users };
        const next: Record<string, Json> = { ...BASE, users, ...before, ...content };
        if (next['ban'] === null) delete next['ban'];
        const creator = id === '12' || sender === undefined ? {} : { '@alice:a': 100 };
        const withCreator = (object: JsonObject): JsonObject => ({
          ...object,
          users: { ...creator, ...(object['users'] as JsonObject) },
        });
        const room = makeRoom(id, { levels: { invite: 0, ...withCreator(levels) } });
        const ask: Question = {
          type: 'm.room.power_levels',
          stateKey: '',
          sender: sender ?? '@mod:a',
          content: { invite: 0, ...withCreator(next) },
        };
        expect(room.ask(ask)).to.equal(rule);
      });
    }
  }
});
