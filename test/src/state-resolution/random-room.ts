import type { Random } from '../../../src/kit/random.ts';
import type { TestDatabase } from '../../support/database.ts';
import { CREATOR, type ForkedRoom, type NewEvent, startForkedRoom } from './forked-room.ts';

const USERS = ['@ann:example.com', '@ben:one.example', '@cleo:two.example', '@dan:example.com'];

/** Brings the creator in, with power levels and public join rules. */
export function furnish(room: ForkedRoom, others: readonly string[] = []): void {
  const join = (userId: string): string =>
    room.add({
      type: 'm.room.member',
      stateKey: userId,
      sender: userId,
      content: { membership: 'join' },
    });
  join(CREATOR);
  const users = room.version.creatorsArePrivileged ? {} : { [CREATOR]: 100 };
  room.add({ type: 'm.room.power_levels', stateKey: '', sender: CREATOR, content: { users } });
  room.add({
    type: 'm.room.join_rules',
    stateKey: '',
    sender: CREATOR,
    content: { join_rule: 'public' },
  });
  for (const userId of others) join(userId);
}

function randomEvent(room: ForkedRoom, random: Random): NewEvent {
  const everybody = [CREATOR, ...USERS];
  const pick = (): string => everybody[random.integer(everybody.length)] ?? CREATOR;
  const sender = pick();
  const kind = random.integer(10);
  if (kind < 2) return { type: 'm.room.member', stateKey: sender, sender, content: { membership: 'join' } };
  if (kind < 4) {
    const membership = random.integer(2) === 0 ? 'ban' : 'leave';
    return { type: 'm.room.member', stateKey: pick(), sender, content: { membership } };
  }
  if (kind < 6) {
    const creators = room.version.creatorsArePrivileged ? {} : { [CREATOR]: 100 };
    const users = { ...creators, [USERS[random.integer(4)] ?? '']: 50 + random.integer(50) };
    return { type: 'm.room.power_levels', stateKey: '', sender, content: { users } };
  }
  if (kind === 6) {
    const rule = random.integer(2) === 0 ? 'public' : 'invite';
    return { type: 'm.room.join_rules', stateKey: '', sender, content: { join_rule: rule } };
  }
  const content = { value: random.integer(1_000_000) };
  return { type: `test.type${random.integer(3)}`, stateKey: '', sender, content };
}

/** A room of random events on random branches, all of them allowed at the state before them; not flushed. */
export function growRandomRoom(
  database: TestDatabase,
  random: Random,
  versionId: string,
  count: number,
): { readonly room: ForkedRoom; readonly eventIds: readonly string[] } {
  const room = startForkedRoom(database, versionId);
  furnish(room, USERS);
  const eventIds = [room.newest];
  for (let added = 0; added < count; added += 1) {
    const recent = eventIds.slice(-6);
    const width = 1 + random.integer(Math.min(3, recent.length));
    const prev = [
      ...new Set(Array.from({ length: width }, () => recent[random.integer(recent.length)] ?? '')),
    ];
    const event = { ...randomEvent(room, random), prev, ts: 1_000_000 + random.integer(500) };
    if (room.decide(event).allowed) eventIds.push(room.add(event));
  }
  return { room, eventIds };
}
