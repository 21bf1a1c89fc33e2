import type { JsonObject } from '../../../../src/kit/json.ts';
import { seededRandom } from '../../../../src/kit/random.ts';
import type { Random } from '../../../../src/kit/random.ts';
import { edgeIds } from '../../../../src/matrix/events/pdu.ts';
import { authEventKeys } from '../../../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../../../src/matrix/rooms/auth-rules.ts';
import { createMemorySource } from '../../../../src/matrix/state-resolution/memory-source.ts';
import type { ResolutionInput } from '../../../../src/matrix/state-resolution/resolution.ts';
import { stateName } from '../../../../src/matrix/state-resolution/state-map.ts';
import { ALICE, BOB, CAROL, DAVE, EVE, tellStory, without } from './story.ts';
import type { Branch, Story } from './story.ts';

const USERS = [ALICE, BOB, CAROL, DAVE, EVE];
const TYPES = ['topic', 'name', 'avatar', 'custom'];
/** Room versions that between them have all three algorithms, and the rules that bear on them. */
export const VERSIONS_OF: Readonly<Record<'v1' | 'v2' | 'v2.1', readonly string[]>> = {
  v1: ['1'],
  v2: ['2', '6', '10', '11'],
  'v2.1': ['12'],
};

/** A small room with several lines of history that do not know of each other. */
export interface RandomRoom {
  readonly story: Story;
  readonly input: ResolutionInput;
}

/** Makes a room out of a seed: the same seed gives the same room. Few users, few instants and few depths, so that there are many ties. */
export function randomRoom(seed: number, algorithm: keyof typeof VERSIONS_OF): RandomRoom {
  const random = seededRandom(seed);
  const story = tellStory(pick(random, VERSIONS_OF[algorithm]));
  const branches: Branch[] = [random.integer(3) === 0 ? story.beginning.join(ALICE) : story.usual];
  const events = 4 + random.integer(28);
  for (let count = 0; count < events; count += 1) {
    const index = random.integer(branches.length);
    const branch = branches[index] ?? story.usual;
    const next = random.integer(12) === 0 ? mix(random, branches) : act(random, story, branch);
    if (random.integer(4) === 0 && branches.length < 6) branches.push(next);
    else branches[index] = next;
  }
  const states = Array.from({ length: 1 + random.integer(4) }, () => {
    const { state } = pick(random, branches);
    const place = pick(random, [...state.keys()]);
    const [type = '', stateKey = ''] = place.split('\u0000');
    return random.integer(10) === 0 ? without(state, type, stateKey) : state;
  });
  const { version, roomId } = story;
  return { story, input: { version, roomId, states, source: createMemorySource(story.events) } };
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.integer(items.length)] as Item;
}

/** A line of history whose state is put together out of those of two others, as no algorithm would do it. */
function mix(random: Random, branches: readonly Branch[]): Branch {
  const left = pick(random, branches);
  const right = pick(random, branches);
  const state = new Map(left.state);
  for (const [name, eventId] of right.state) if (random.integer(2) === 0) state.set(name, eventId);
  return left.withState(state);
}

interface Action {
  readonly sender: string;
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

/** Something that the rules allow there, mostly. */
function act(random: Random, story: Story, branch: Branch): Branch {
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const { sender, type, stateKey, content } = randomAction(random, story);
    const details = {
      id: `${random.text(3)}${pick(random, ['', '😀', '\uFF5E'])}${story.events.size}`,
      ts: 1 + random.integer(9),
      depth: 1 + random.integer(4),
      isForced: random.integer(15) === 0,
      isRejected: random.integer(25) === 0,
    };
    if (!details.isForced && !isAllowed(story, branch, { sender, type, stateKey, content })) continue;
    const authEvents = otherAuthEvents(random, story, branch, { sender, type, stateKey, content });
    return branch.send(sender, type, stateKey, content, {
      ...details,
      ...(authEvents === undefined ? {} : { authEvents, isForced: true }),
    });
  }
  return branch;
}

function randomAction(random: Random, story: Story): Action {
  const sender = random.integer(2) === 0 ? ALICE : pick(random, USERS);
  const target = pick(random, USERS);
  const member = (membership: string): Action => ({
    sender: membership === 'join' ? target : sender,
    type: 'm.room.member',
    stateKey: target,
    content: { membership, ...viaOf(random, membership) },
  });
  const actions: (() => Action)[] = [
    () => member('join'),
    () => member('join'),
    () => member('leave'),
    () => member('ban'),
    () => member('invite'),
    () => member(story.version.knock ? 'knock' : 'join'),
    () => ({ sender, type: 'm.room.power_levels', stateKey: '', content: randomLevels(random, story) }),
    () => ({ sender, type: 'm.room.power_levels', stateKey: '', content: randomLevels(random, story) }),
    () => ({
      sender,
      type: 'm.room.join_rules',
      stateKey: '',
      content: { join_rule: pick(random, ['public', 'public', 'invite', 'knock', 'restricted']) },
    }),
    () => ({ sender, type: `m.room.${pick(random, TYPES)}`, stateKey: '', content: {} }),
    () => ({ sender, type: 'm.room.third_party_invite', stateKey: 'token', content: {} }),
  ];
  return pick(random, actions)();
}

function viaOf(random: Random, membership: string): JsonObject {
  if (membership !== 'join' || random.integer(3) > 0) return {};
  return { join_authorised_via_users_server: pick(random, USERS) };
}

function randomLevels(random: Random, story: Story): JsonObject {
  const named = USERS.filter((user) => user !== ALICE && random.integer(2) === 0);
  const users = Object.fromEntries(named.map((user) => [user, pick(random, [0, 50, 50, 100])]));
  const own = story.version.creatorsArePrivileged ? {} : { [ALICE]: 100 };
  return { users: { ...own, ...users }, invite: pick(random, [0, 50]), state_default: pick(random, [0, 50]) };
}

function isAllowed(story: Story, branch: Branch, action: Action): boolean {
  const { version, roomId, events, createId } = story;
  const { sender, type, stateKey, content } = action;
  const pdu = {
    sender,
    type,
    content,
    room_id: roomId,
    state_key: stateKey,
    depth: 1,
    origin_server_ts: 1,
    prev_events: [],
    auth_events: [],
  };
  return authorise(
    version,
    { roomId, pdu },
    {
      find: (wanted, key) =>
        wanted === 'm.room.create'
          ? events.get(createId)?.pdu
          : events.get(branch.state.get(stateName(wanted, key)) ?? '')?.pdu,
    },
  ).allowed;
}

/** Now and then an event cites other events of the right places, older or rejected ones, or fewer. */
function otherAuthEvents(
  random: Random,
  story: Story,
  branch: Branch,
  { sender, type, stateKey, content }: Action,
): readonly string[] | undefined {
  if (random.integer(8) > 0) return undefined;
  const all = [...story.events.values()];
  return authEventKeys(story.version, { sender, type, content, state_key: stateKey })
    .filter(() => random.integer(5) > 0)
    .map((key) => {
      const there = all.filter(({ pdu }) => pdu.type === key.type && pdu.state_key === key.stateKey);
      const usual = branch.state.get(stateName(key.type, key.stateKey));
      return random.integer(2) === 0 || there.length === 0 ? usual : pick(random, there).eventId;
    })
    .filter((eventId) => eventId !== undefined);
}

/** Events with all that they stand on. */
export function withChains(story: Story, eventIds: Iterable<string>): Set<string> {
  const chain = new Set(eventIds);
  for (const eventId of chain) {
    for (const authEvent of edgeIds(story.events.get(eventId)?.pdu.auth_events ?? [])) chain.add(authEvent);
  }
  return chain;
}
