import type { ReadDb } from '../../../db/kit/read-db.ts';
import { countInconsistentMemberships } from '../../../db/rooms/membership-check-reader.ts';
import {
  countDifferingState,
  type EventToVerify,
  type GroupToVerify,
  readEventsToVerify,
  readGroupsToVerify,
  readLostEntries,
  readRoomsToVerify,
} from '../../../db/rooms/verify-reader.ts';
import type { Pdu } from '../../matrix/events/pdu.ts';
import { eventIdOf } from '../../matrix/events/event-id.ts';
import { canonicalJsonWithout } from '../../matrix/events/canonical-json.ts';
import { hasValidContentHash } from '../../matrix/events/hashes.ts';
import { redact } from '../../matrix/events/redaction.ts';
import { KNOWN_ROOM_VERSIONS, type RoomVersion } from '../../matrix/rooms/room-versions.ts';
import { type CheckResult, createFindings, RESTORE_TODO } from './finding.ts';

/** Local users' memberships and the current state, room by room. */
export async function checkRooms(
  db: ReadDb,
  serverName: string,
): Promise<readonly [memberships: CheckResult, state: CheckResult]> {
  const [memberships, state] = [createFindings(), createFindings()];
  let rooms = 0;
  for await (const page of readRoomsToVerify(db))
    for (const { roomId, roomNid } of page) {
      rooms += 1;
      const [away, differing] = await db.snapshot(async (world) => [
        await countInconsistentMemberships(world, roomId, serverName),
        await countDifferingState(world, roomNid),
      ]);
      if (away !== undefined && away > 0)
        memberships.add({
          what: `in ${roomId} ${away} memberships of local users are not what the room's state says`,
          todo: RESTORE_TODO,
        });
      if (differing !== undefined && differing > 0)
        state.add({
          what: `the current state of ${roomId} differs in ${differing} entries from the state after its newest events`,
          todo: RESTORE_TODO,
        });
    }
  const lookedAt = `${rooms} rooms`;
  return [memberships.result('local memberships', lookedAt), state.result('current state', lookedAt)];
}

/** What is wrong with one group; a parent has a smaller number, so that a chain without a fault ends, and ends in a checkpoint. */
function faultOf(group: GroupToVerify): string | undefined {
  const { stateGroup, roomNid, parent, roomOfParent, hasRoom, entriesSaid, entriesFound } = group;
  if (hasRoom === 0) return `the state group ${stateGroup} belongs to no room`;
  if (parent === null)
    return entriesSaid === null || entriesSaid === entriesFound
      ? undefined
      : `the state group ${stateGroup} has ${entriesFound} entries and should have ${entriesSaid}`;
  if (roomOfParent === null)
    return `the state group ${stateGroup} is stored over ${parent}, which is not there`;
  if (parent >= stateGroup)
    return `the state group ${stateGroup} is stored over ${parent}, which is not older`;
  return roomOfParent === roomNid
    ? undefined
    : `the state group ${stateGroup} is stored over ${parent}, which is of another room`;
}

/** Every state group: its chain ends in a checkpoint, and its entries name events. */
export async function checkStateGroups(db: ReadDb): Promise<CheckResult> {
  const findings = createFindings();
  let groups = 0;
  for await (const page of readGroupsToVerify(db)) {
    groups += page.length;
    for (const group of page) {
      const what = faultOf(group);
      if (what !== undefined) findings.add({ what, todo: RESTORE_TODO });
    }
    const [from, to] = [page[0]?.stateGroup ?? 0, page.at(-1)?.stateGroup ?? 0];
    for (const { stateGroup, lost } of await readLostEntries(db, { from, to }))
      findings.add({
        what: `${lost} entries of the state group ${stateGroup} name events that are not there`,
        todo: RESTORE_TODO,
      });
  }
  return findings.result('state groups', `${groups} groups`);
}

const UNSIGNED: ReadonlySet<string> = new Set(['unsigned']);

/** Everything that may be taken out of it is: its content hash is that of what it was. */
function isRedacted(version: RoomVersion, pdu: Pdu): boolean {
  return (
    canonicalJsonWithout(redact(version, pdu), UNSIGNED, 'lenient') ===
    canonicalJsonWithout(pdu, UNSIGNED, 'lenient')
  );
}

function isItself({ eventId, roomVersion, pdu }: EventToVerify): boolean {
  const version = KNOWN_ROOM_VERSIONS.find(({ id }) => id === roomVersion);
  if (version === undefined) return false;
  try {
    const event = JSON.parse(pdu) as Pdu;
    const isWhole = hasValidContentHash(version, event) || isRedacted(version, event);
    return isWhole && eventIdOf(version, event) === eventId;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Every event is the one that its id and its content hash say. Reads all of them. */
export async function checkEventIds(db: ReadDb): Promise<CheckResult> {
  const findings = createFindings();
  let events = 0;
  for await (const page of readEventsToVerify(db))
    for (const event of page) {
      events += 1;
      if (!isItself(event))
        findings.add({ what: `the event ${event.eventId} is not what its id says`, todo: RESTORE_TODO });
    }
  return findings.result('events', `${events} events`);
}
