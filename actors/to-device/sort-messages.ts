import type { ReadDb } from '../../db/kit/read-db.ts';
import { findDeviceIds } from '../../db/accounts/reader.ts';
import type { NewOutbound } from '../../db/to-device/outbound-writer.ts';
import type { NewMessage } from '../../db/to-device/writer.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import type { Random } from '../../src/kit/random.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { parseServerName } from '../../src/matrix/identifiers/server-name.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { ToDeviceProtocol } from './protocol.ts';

/** Devices that one request may reach. */
export const MESSAGES_PER_REQUEST_MAX = 10_000;
/** The length of the ids by which other servers know messages again. Server-Server API v1.19, `m.direct_to_device`: at most 32. */
const MESSAGE_ID_LENGTH = 32;
/** The messages of one EDU, in characters: a transaction of {@link MESSAGES_PER_EDU_LENGTH_MAX} times fifty is still taken by others. */
export const MESSAGES_PER_EDU_LENGTH_MAX = 100_000;
const EVERY_DEVICE = '*';

type SendMessages = InputOf<ToDeviceProtocol, 'to-device.send-messages'>;
type ByDevice = Readonly<Record<string, JsonObject>>;

/** What a request comes to. */
export interface SortedMessages {
  /** For devices of this server's users. */
  readonly local: readonly NewMessage[];
  /** For other servers. */
  readonly outbound: readonly NewOutbound[];
}

/** The messages of one user for the devices of another server's users, as EDUs of a bounded size. */
function edusFor(
  destination: string,
  { sender, type }: SendMessages,
  users: readonly (readonly [userId: string, byDevice: ByDevice])[],
  random: Random,
): NewOutbound[] {
  const outbound: NewOutbound[] = [];
  let messages: Record<string, Record<string, JsonObject>> = {};
  let length = 0;
  const close = (): void => {
    const messageId = random.text(MESSAGE_ID_LENGTH);
    const content = { sender, type, message_id: messageId, messages };
    outbound.push({ destination, content: JSON.stringify(content) });
    messages = {};
    length = 0;
  };
  for (const [userId, byDevice] of users)
    for (const [deviceId, content] of Object.entries(byDevice)) {
      const added = JSON.stringify(content).length;
      if (length > 0 && length + added > MESSAGES_PER_EDU_LENGTH_MAX) close();
      (messages[userId] ??= {})[deviceId] = content;
      length += added;
    }
  if (length > 0) close();
  return outbound;
}

async function localMessages(
  db: ReadDb,
  { sender, type }: SendMessages,
  userId: string,
  byDevice: ByDevice,
): Promise<NewMessage[]> {
  const known = new Set(await findDeviceIds(db, userId));
  return Object.entries(byDevice).flatMap(([deviceId, content]) => {
    const targets = deviceId === EVERY_DEVICE ? [...known] : known.has(deviceId) ? [deviceId] : [];
    const text = JSON.stringify(content);
    return targets.map((target) => ({ userId, deviceId: target, sender, type, content: text }));
  });
}

/**
 * Sorts the messages of a request by whom they are for. Devices that are not known here, and users of no server, are passed over.
 *
 * @returns null when they are too many
 */
export async function sortMessages(
  db: ReadDb,
  serverName: string,
  random: Random,
  request: SendMessages,
): Promise<SortedMessages | null> {
  const users = Object.entries(request.messages);
  if (users.length > MESSAGES_PER_REQUEST_MAX) return null;
  const local: NewMessage[] = [];
  const remote = new Map<string, (readonly [string, ByDevice])[]>();
  let remoteDevices = 0;
  for (const [userId, byDevice] of users) {
    const domain = domainOf(userId) ?? '';
    if (domain === serverName) {
      // One user after another: the reads of one connection are done one after another anyway.
      local.push(...(await localMessages(db, request, userId, byDevice)));
    } else if (userId.startsWith('@') && parseServerName(domain) !== undefined) {
      remote.set(domain, [...(remote.get(domain) ?? []), [userId, byDevice]]);
      remoteDevices += Object.keys(byDevice).length;
    }
    if (local.length + remoteDevices > MESSAGES_PER_REQUEST_MAX) return null;
  }
  return { local, outbound: [...remote].flatMap(([domain, all]) => edusFor(domain, request, all, random)) };
}
