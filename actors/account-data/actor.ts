import { createHash } from 'node:crypto';
import { findAccountData, isDeleted } from '../../db/account-data/reader.ts';
import {
  FILTER_ID_STEP,
  FILTERS_MAX,
  forgetRoom,
  storeAccountData,
  storeFilter,
} from '../../db/account-data/writer.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/kit/json.ts';
import { refuse } from '../../src/matrix/refusal.ts';
import { accountDataStream } from '../../src/streams/account-data-stream.ts';
import { commit } from '../commit.ts';
import { defineActor } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { FORGOTTEN_ROWS_MAX, forgetRows } from '../forget-rows.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { copyRoom } from './copy-room.ts';
import { eraseUser } from './erase-user.ts';
import { forgetDevices } from './forget-devices.ts';
import type { AccountDataProtocol } from './protocol.ts';

type SetContent = InputOf<AccountDataProtocol, 'account-data.set-content'>;
type DeleteContent = InputOf<AccountDataProtocol, 'account-data.delete-content'>;
type SetTag = InputOf<AccountDataProtocol, 'account-data.set-tag'>;
type StoreFilter = InputOf<AccountDataProtocol, 'account-data.store-filter'>;
type Stored = OutputOf<AccountDataProtocol, 'account-data.set-content'>;

const MAILBOX_LIMIT = 10_000;
/** Changes of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** Tags that one room may have. */
export const TAGS_MAX = 256;
/** The largest content of one account data event, in bytes of JSON. A body is not much larger; tags grow one by one. */
export const CONTENT_BYTES_MAX = 1_310_720;

function parseObject(text: string | undefined): JsonObject {
  const value: unknown = text === undefined ? {} : JSON.parse(text);
  return isJsonObject(value) ? value : {};
}

/** The tags in the content of `m.tag`. */
function tagsOf(content: JsonObject): Map<string, Json> {
  const tags = content['tags'];
  return new Map(isJsonObject(tags) ? Object.entries(tags) : []);
}

/** Owner of the account-data stream and of filters. One user's changes are handled one after another. */
export const accountDataActor = defineActor<AccountDataProtocol>({
  name: 'account-data',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key: (_message, input) => ('userId' in input ? input.userId : null),
  },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, accountDataStream);
    const { config, db } = context.env;

    async function setContent({ userId, roomId, type, content }: SetContent): Promise<Stored> {
      const text = JSON.stringify(content);
      if (Buffer.byteLength(text) > CONTENT_BYTES_MAX)
        return refuse('M_TOO_LARGE', `account data has at most ${CONTENT_BYTES_MAX} bytes`);
      const outcome = await owner.write({
        count: 1,
        steps: storeAccountData({ userId, roomId: roomId ?? '', type, content: text }),
        rows: () => [[{ userId, roomId, type }]],
      });
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused') throw new Error(`account data has no guard, yet ${outcome.refusal}`);
      return { kind: 'stored', position: outcome.position ?? owner.currentToken() };
    }

    async function deleteContent({ userId, roomId, type }: DeleteContent): Promise<Stored> {
      const stored = await findAccountData(db, userId, roomId, type);
      if (stored === undefined || isDeleted(stored))
        return { kind: 'stored', position: owner.currentToken() };
      return setContent({ userId, roomId, type, content: {} });
    }

    async function setTag({ userId, roomId, tag, content }: SetTag): Promise<Stored> {
      const stored = await findAccountData(db, userId, roomId, 'm.tag');
      const before = parseObject(stored?.content);
      const tags = tagsOf(before);
      if (content === null && !tags.delete(tag)) return { kind: 'stored', position: owner.currentToken() };
      if (content !== null) tags.set(tag, content);
      if (tags.size > TAGS_MAX)
        return refuse('M_TOO_LARGE', `a room has at most ${TAGS_MAX} tags`, { status: 400 });
      return setContent({
        userId,
        roomId,
        type: 'm.tag',
        content: { ...before, tags: Object.fromEntries(tags) },
      });
    }

    async function keepFilter({
      userId,
      filter,
    }: StoreFilter): Promise<OutputOf<AccountDataProtocol, 'account-data.store-filter'>> {
      const text = JSON.stringify(filter);
      const hash = createHash('sha256').update(text).digest('base64');
      const outcome = await commit(context, storeFilter({ userId, hash, filter: text }));
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused') throw new Error(`a filter has no guard, yet ${outcome.refusal}`);
      const [row] = (outcome.returned[FILTER_ID_STEP] ?? []) as { readonly filterId: number }[];
      if (row === undefined) return refuse('M_FORBIDDEN', `a user has at most ${FILTERS_MAX} filters`);
      return { kind: 'stored', filterId: String(row.filterId) };
    }

    return {
      handlers: {
        ...handlers,
        'account-data.forget-devices': (input) => forgetDevices(context, owner, input),
        'account-data.forget-user': ({ userId }) => eraseUser(context, userId),
        'account-data.copy-room': (input) => copyRoom(context, owner, input, CONTENT_BYTES_MAX),
        'account-data.delete-content': deleteContent,
        'account-data.set-content': setContent,
        'account-data.set-tag': setTag,
        'account-data.store-filter': keepFilter,
        'account-data.forget-room': ({ roomId }) =>
          forgetRows(context, forgetRoom(roomId, FORGOTTEN_ROWS_MAX), ({ userId = '', type = '' }) => ({
            fact: 'account-data',
            userId,
            roomId,
            type,
          })),
      },
    };
  },
});
