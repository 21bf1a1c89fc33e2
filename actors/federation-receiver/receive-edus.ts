import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { mayTakePart } from '../../src/federation/server-acl.ts';
import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { parseUserId } from '../../src/matrix/identifiers/user-id.ts';
import type { TroupeContext } from '../environment.ts';
import type { PresenceState } from '../presence/protocol.ts';
import { answerOr } from '../answer-or.ts';
import type { ReceiverDesk } from './receiver-desk.ts';

/** Receipts of one EDU that are looked at. */
export const RECEIPTS_PER_EDU_MAX = 1_000;
/** Users of one presence EDU that are looked at. */
export const PRESENCES_PER_EDU_MAX = 1_000;
/** The longest id of a message or of a thread's root, in characters: one that is longer is none. */
const ID_LENGTH_MAX = 255;
/** The longest status message that is kept, in characters. */
const STATUS_LENGTH_MAX = 1_024;
/** The users that one to-device message may name. */
const TO_DEVICE_USERS_MAX = 1_000;
/** Messages of other servers have no device here: what was stored of them is remembered under this one, which no user has. */
const NO_DEVICE = '';

/** What an EDU is handed on with. */
interface EduDesk {
  readonly context: TroupeContext;
  readonly desk: ReceiverDesk;
  readonly origin: string;
}

type TakeEdu = (edu: EduDesk, content: JsonObject) => void | Promise<void>;

function isUserOf(userId: unknown, origin: string): userId is string {
  return typeof userId === 'string' && isOfServer(userId, origin) && parseUserId(userId) !== undefined;
}

/** Whether a server has a user in the room and the room lets it take part; this server must be there, too. */
async function isInRoom({ desk, origin }: EduDesk, roomId: string): Promise<boolean> {
  const hosts = await desk.caches.get(hostsInRoom, roomId);
  if (!hosts.includes(origin) || !hosts.includes(desk.serverName)) return false;
  return mayTakePart(desk.caches, roomId, origin);
}

/** Server-Server API v1.19, "Typing Notifications". */
const takeTyping: TakeEdu = async (edu, content) => {
  const { room_id: roomId, user_id: userId, typing } = content;
  if (typeof roomId !== 'string' || typeof typing !== 'boolean' || !isUserOf(userId, edu.origin)) return;
  if (!(await isInRoom(edu, roomId))) return;
  const { origin } = edu;
  edu.context.ref('typing').tell('typing.receive-remote', { origin, roomId, userId, isTyping: typing });
};

interface RemoteReceipt {
  readonly userId: string;
  readonly eventId: string;
  readonly threadId: string | null;
  readonly ts: number;
}

/** The receipts of one room; only public ones travel, and only a user's own server speaks for the user. */
function receiptsOf(origin: string, ofRoom: unknown): readonly RemoteReceipt[] {
  const byUser = isJsonObject(ofRoom) ? ofRoom['m.read'] : undefined;
  if (!isJsonObject(byUser)) return [];
  const receipts: RemoteReceipt[] = [];
  for (const [userId, receipt] of Object.entries(byUser)) {
    if (!isUserOf(userId, origin) || !isJsonObject(receipt)) continue;
    const { event_ids: eventIds, data } = receipt;
    const eventId: unknown = Array.isArray(eventIds) ? eventIds.at(-1) : undefined;
    const { ts, thread_id: thread = null } = isJsonObject(data) ? data : {};
    if (typeof eventId !== 'string' || eventId.length > ID_LENGTH_MAX) continue;
    if (typeof ts !== 'number' || !Number.isSafeInteger(ts)) continue;
    if (thread !== null && (typeof thread !== 'string' || thread === '' || thread.length > ID_LENGTH_MAX))
      continue;
    receipts.push({ userId, eventId, threadId: thread, ts });
  }
  return receipts;
}

/** Server-Server API v1.19, "Receipts". */
const takeReceipts: TakeEdu = async (edu, content) => {
  let left = RECEIPTS_PER_EDU_MAX;
  for (const [roomId, ofRoom] of Object.entries(content)) {
    const receipts = receiptsOf(edu.origin, ofRoom).slice(0, left);
    left -= receipts.length;
    if (receipts.length === 0 || !(await isInRoom(edu, roomId))) continue;
    const owner = edu.context.ref('receipts');
    await Promise.all(
      receipts.map((receipt) => answerOr(owner.ask('receipts.receive-remote', { roomId, ...receipt }))),
    );
  }
};

/** Server-Server API v1.19, "m.presence"; the last two: MSC3026. */
const PRESENCE_STATES: ReadonlyMap<unknown, PresenceState> = new Map<unknown, PresenceState>([
  ['online', 'online'],
  ['offline', 'offline'],
  ['unavailable', 'unavailable'],
  ['busy', 'org.matrix.msc3026.busy'],
  ['org.matrix.msc3026.busy', 'org.matrix.msc3026.busy'],
]);

/** Server-Server API v1.19, "Presence". */
const takePresence: TakeEdu = ({ context, origin }, content) => {
  const { push } = content;
  if (!Array.isArray(push)) return;
  for (const update of push.slice(0, PRESENCES_PER_EDU_MAX) as readonly unknown[]) {
    if (!isJsonObject(update) || !isUserOf(update['user_id'], origin)) continue;
    const { last_active_ago: ago, status_msg: status } = update;
    const presence = PRESENCE_STATES.get(update['presence']);
    if (presence === undefined) continue;
    context.ref('presence').tell('presence.receive-remote', {
      userId: update['user_id'],
      presence,
      statusMessage: typeof status === 'string' ? status.slice(0, STATUS_LENGTH_MAX) : null,
      lastActiveAgoMs: typeof ago === 'number' && Number.isSafeInteger(ago) && ago >= 0 ? ago : 0,
      isCurrentlyActive: update['currently_active'] === true,
    });
  }
};

/** What a to-device message brings to users of this server. */
function messagesFor(
  serverName: string,
  messages: JsonObject,
): Readonly<Record<string, Readonly<Record<string, JsonObject>>>> {
  const local: Record<string, Record<string, JsonObject>> = {};
  for (const [userId, byDevice] of Object.entries(messages).slice(0, TO_DEVICE_USERS_MAX)) {
    if (!isOfServer(userId, serverName) || !isJsonObject(byDevice)) continue;
    const entries = Object.entries(byDevice).filter((entry): entry is [string, JsonObject] =>
      isJsonObject(entry[1]),
    );
    local[userId] = Object.fromEntries(entries);
  }
  return local;
}

/** Server-Server API v1.19, "Send-to-device messaging": once for each message id. */
const takeToDevice: TakeEdu = async ({ context, desk, origin }, content) => {
  const { sender, type, message_id: messageId, messages } = content;
  if (!isUserOf(sender, origin) || typeof type !== 'string' || !isJsonObject(messages)) return;
  if (typeof messageId !== 'string' || messageId === '' || messageId.length > ID_LENGTH_MAX) return;
  const stored = await answerOr(
    context.ref('to-device').ask('to-device.send-messages', {
      sender,
      senderDevice: NO_DEVICE,
      txnId: messageId,
      type,
      messages: messagesFor(desk.serverName, messages),
    }),
  );
  if (stored.kind === 'refused')
    desk.log.warn('a message for devices was not stored', { origin, sender, messageId, error: stored.error });
};

/** Server-Server API v1.19, "End-to-End Encryption": whether the user is of `origin` is asked there. */
const takeDeviceList: TakeEdu = async ({ context, origin }, content) => {
  await answerOr(context.ref('remote-devices').ask('remote-devices.receive-update', { origin, content }));
};

const takeSigningKeys: TakeEdu = async ({ context, origin }, content) => {
  await answerOr(
    context.ref('remote-devices').ask('remote-devices.receive-signing-keys', { origin, content }),
  );
};

const TAKE_BY_TYPE: ReadonlyMap<string, TakeEdu> = new Map([
  ['m.typing', takeTyping],
  ['m.receipt', takeReceipts],
  ['m.presence', takePresence],
  ['m.direct_to_device', takeToDevice],
  ['m.device_list_update', takeDeviceList],
  ['m.signing_key_update', takeSigningKeys],
  ['org.matrix.signing_key_update', takeSigningKeys],
]);

/**
 * Hands the EDUs of a transaction to their owners, one after the other: those of one kind may depend on each other. What is not known or
 * malformed, or says something about users of other servers, is left out. Server-Server API v1.19, "EDUs".
 */
export async function receiveEdus(
  context: TroupeContext,
  desk: ReceiverDesk,
  origin: string,
  edus: readonly JsonObject[],
): Promise<void> {
  const edu: EduDesk = { context, desk, origin };
  for (const { edu_type: type, content } of edus) {
    const take = typeof type === 'string' ? TAKE_BY_TYPE.get(type) : undefined;
    if (take !== undefined && isJsonObject(content)) await take(edu, content);
  }
}
