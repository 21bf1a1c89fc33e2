import { isJsonObject, type Json, type JsonObject } from '../../src/kit/json.ts';

/** EDUs that wait for one server, in memory; the oldest make room. */
export const WAITING_EDUS_MAX = 1_000;
/** Users whose presence goes into one EDU. */
const PRESENCES_PER_EDU_MAX = 100;

/** What is true for a moment only: a server that cannot be told is not told later. */
const MOMENTARY: ReadonlySet<string> = new Set(['m.typing', 'm.presence']);
/** What may wait for others to go with. */
const PATIENT: ReadonlySet<string> = new Set(['m.receipt', 'm.presence']);

/** An EDU for one server. */
export interface QueuedEdu {
  readonly type: string;
  readonly content: JsonObject;
  /** A newer one of this key and type replaces an older one; null stands for itself. */
  readonly key: string | null;
  /** On the federation stream. */
  readonly position: number;
}

/** What is taken out of a queue, and goes out of it when it has been delivered. */
export interface TakenEdus {
  /** As the transaction has them. */
  readonly edus: readonly JsonObject[];
  readonly taken: readonly QueuedEdu[];
}

/** The EDUs that wait for one server. Of a key only the latest waits. */
export interface EduQueue {
  readonly size: number;
  /** Something in it is to go at once. */
  isUrgent(): boolean;
  add(edu: QueuedEdu): void;
  /** At most `limit` EDUs, the oldest first; receipts, and presences, of many rooms and users as one. */
  take(limit: number): TakenEdus;
  /** They were delivered. One that was replaced meanwhile stays. */
  remove(taken: readonly QueuedEdu[]): void;
  /** Forgets what will not be true any more when the server can be told. */
  dropMomentary(): void;
  /** The lowest position; infinite when nothing waits. */
  firstPosition(): number;
  /** The positions are those of another epoch: nothing waits for them any more. */
  forgetPositions(): void;
}

type Receipts = Record<string, Record<string, Record<string, Json>>>;

/** Puts receipts into those of one EDU. False, with nothing done, where it has another receipt of that user in that room. */
function mergeReceipts(into: Receipts, content: JsonObject): boolean {
  const entries = Object.entries(content).flatMap(([roomId, types]) =>
    Object.entries(isJsonObject(types) ? types : {}).flatMap(([type, users]) =>
      Object.entries(isJsonObject(users) ? users : {}).map(
        ([userId, receipt]) => [roomId, type, userId, receipt] as const,
      ),
    ),
  );
  if (entries.some(([roomId, type, userId]) => into[roomId]?.[type]?.[userId] !== undefined)) return false;
  for (const [roomId, type, userId, receipt] of entries)
    ((into[roomId] ??= {})[type] ??= {})[userId] = receipt;
  return true;
}

/** Packs EDUs, as long as there are no more than `limit`. */
function pack(waiting: Iterable<QueuedEdu>, limit: number): TakenEdus {
  const edus: JsonObject[] = [];
  const taken: QueuedEdu[] = [];
  const receipts: Receipts[] = [];
  let presences: Json[] | null = null;
  const open = (type: string, content: JsonObject): boolean => {
    if (edus.length >= limit) return false;
    edus.push({ edu_type: type, content });
    return true;
  };
  const addReceipt = (content: JsonObject): boolean => {
    if (receipts.some((into) => mergeReceipts(into, content))) return true;
    const into: Receipts = {};
    mergeReceipts(into, content);
    if (!open('m.receipt', into)) return false;
    receipts.push(into);
    return true;
  };
  const addPresence = ({ push }: JsonObject): boolean => {
    const pushed = Array.isArray(push) ? (push as readonly Json[]) : [];
    if (presences === null || presences.length + pushed.length > PRESENCES_PER_EDU_MAX) {
      const list: Json[] = [];
      if (!open('m.presence', { push: list })) return false;
      presences = list;
    }
    presences.push(...pushed);
    return true;
  };
  for (const edu of waiting) {
    const { type, content } = edu;
    const isIn =
      type === 'm.receipt'
        ? addReceipt(content)
        : type === 'm.presence'
          ? addPresence(content)
          : open(type, content);
    if (!isIn) break;
    taken.push(edu);
  }
  return { edus, taken };
}

/** Makes an empty queue. */
export function createEduQueue(): EduQueue {
  const waiting = new Map<string, QueuedEdu>();
  let positions = new Map<string, number>();
  let unkeyed = 0;
  const names = new Map<QueuedEdu, string>();

  function drop(name: string): void {
    const edu = waiting.get(name);
    if (edu === undefined) return;
    waiting.delete(name);
    positions.delete(name);
    names.delete(edu);
  }

  return {
    get size() {
      return waiting.size;
    },
    isUrgent: () => [...waiting.values()].some(({ type }) => !PATIENT.has(type)),
    add(edu) {
      const name = edu.key === null ? `#${(unkeyed += 1)}` : `${edu.type} ${edu.key}`;
      drop(name);
      const [oldest] = waiting.keys();
      if (oldest !== undefined && waiting.size >= WAITING_EDUS_MAX) drop(oldest);
      waiting.set(name, edu);
      names.set(edu, name);
      positions.set(name, edu.position);
    },
    take: (limit) => pack(waiting.values(), limit),
    remove(taken) {
      for (const edu of taken) {
        const name = names.get(edu);
        if (name !== undefined) drop(name);
      }
    },
    dropMomentary() {
      for (const [name, { type }] of waiting) if (MOMENTARY.has(type)) drop(name);
    },
    firstPosition: () =>
      [...positions.values()].reduce((first, position) => Math.min(first, position), Infinity),
    forgetPositions: () => void (positions = new Map()),
  };
}
