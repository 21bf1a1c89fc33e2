import type { ReadDb } from '../../db/kit/read-db.ts';
import {
  findTransactionEvent,
  readTransactionNames,
  type TransactionKey,
} from '../../db/rooms/transaction-reader.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { Sent } from './protocol.ts';

/** How much the memory holds. */
export interface TransactionBounds {
  /** Devices whose transactions are in memory. */
  readonly devicesMax: number;
  /** Answers in memory for each device: the latest ones. */
  readonly answersPerDeviceMax: number;
  /** Fingerprints in memory for each device: of the transactions whose answers are in the database only. */
  readonly fingerprintsPerDeviceMax: number;
  /** Fingerprints of all devices together. */
  readonly fingerprintsMax: number;
  /** Transactions of an earlier life that are read for one device: one that has more is looked up in the database each time. */
  readonly storedMax: number;
}

export const TRANSACTION_BOUNDS: TransactionBounds = {
  devicesMax: 2_000,
  answersPerDeviceMax: 64,
  fingerprintsPerDeviceMax: 50_000,
  fingerprintsMax: 200_000,
  storedMax: 2_000,
};

/** What the clients' transactions have led to, so that the same one again leads to the same event. */
export interface TransactionMemory {
  /** The answer, or the one to come, of a transaction that is in memory. */
  recall(key: TransactionKey): Promise<Sent | Refusal> | undefined;
  /** Looks for a transaction that is not in memory among the stored ones; undefined where it cannot be there. */
  search(key: TransactionKey): Promise<Sent | undefined> | undefined;
  /** Notes what a new transaction will lead to. One that is refused in the end is forgotten, for it may succeed later. */
  remember(key: TransactionKey, answer: Promise<Sent | Refusal>): void;
}

interface Remembered {
  readonly answer: Promise<Sent | Refusal>;
  /** False while it waits for its commit: the database does not know it yet, so that it must not be dropped. */
  isSettled: boolean;
}

interface Device {
  /** By path and transaction id, oldest first. */
  readonly answers: Map<string, Remembered>;
  /** How many of them wait for their commit. */
  pending: number;
  /**
   * The stored transactions that are not among `answers`. A transaction in neither is new, without a look into the database. Null: there
   * were too many. Undefined: they were not read yet.
   */
  fingerprints: Set<number> | null | undefined;
}

const nameOf = (path: string, txnId: string): string => `${path}\u0000${txnId}`;

/** FNV-1a, 32 bits. Two names with one fingerprint cost a look into the database and nothing else. */
function fingerprintOf(name: string): number {
  let print = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1)
    print = Math.imul(print ^ name.charCodeAt(index), 0x01000193);
  return print;
}

/** The devices in memory, the least recently used ones dropped when there are too many. */
interface Devices {
  get(key: TransactionKey): Device;
  /** Sets the fingerprints of a device that has none yet; null for too many. */
  setFingerprints(device: Device, prints: Set<number> | null): void;
  /** Drops answers that are not among the latest ones, their fingerprints kept. */
  trimAnswers(device: Device): void;
  /** Drops idle devices until the bounds hold. */
  trim(): void;
}

function createDevices(bounds: TransactionBounds): Devices {
  // In order of use: the one used longest ago comes first.
  const devices = new Map<string, Device>();
  let prints = 0;

  const isOverfull = (): boolean => devices.size > bounds.devicesMax || prints > bounds.fingerprintsMax;
  const setFingerprints = (device: Device, fingerprints: Set<number> | null): void => {
    prints += (fingerprints?.size ?? 0) - (device.fingerprints?.size ?? 0);
    device.fingerprints = fingerprints;
  };
  const addFingerprint = (device: Device, name: string): void => {
    const { fingerprints } = device;
    if (fingerprints === null || fingerprints === undefined) return;
    if (fingerprints.size >= bounds.fingerprintsPerDeviceMax) {
      setFingerprints(device, null);
      return;
    }
    const before = fingerprints.size;
    fingerprints.add(fingerprintOf(name));
    prints += fingerprints.size - before;
  };
  return {
    get({ userId, deviceId }) {
      const name = `${userId}\u0000${deviceId}`;
      const device = devices.get(name) ?? { answers: new Map(), pending: 0, fingerprints: undefined };
      devices.delete(name);
      devices.set(name, device);
      return device;
    },
    setFingerprints,
    trimAnswers(device) {
      for (const [name, { isSettled }] of device.answers) {
        if (!isSettled || device.answers.size <= bounds.answersPerDeviceMax) return;
        device.answers.delete(name);
        addFingerprint(device, name);
      }
    },
    trim() {
      if (!isOverfull()) return;
      for (const [name, device] of devices) {
        if (!isOverfull()) return;
        if (device.pending > 0) continue;
        setFingerprints(device, null);
        devices.delete(name);
      }
    },
  };
}

/** Makes an empty memory over the stored transactions. */
export function createTransactionMemory(
  db: ReadDb,
  bounds: TransactionBounds = TRANSACTION_BOUNDS,
): TransactionMemory {
  const devices = createDevices(bounds);

  /** The device is in memory before this read: what is committed after it is among its answers. */
  const readStored = async (device: Device, { userId, deviceId }: TransactionKey): Promise<void> => {
    const limit = bounds.storedMax + 1;
    const stored = await readTransactionNames(db, userId, deviceId, limit);
    if (device.fingerprints !== undefined) return;
    const prints = stored.map(({ path, txnId }) => fingerprintOf(nameOf(path, txnId)));
    devices.setFingerprints(device, stored.length < limit ? new Set(prints) : null);
  };
  const isNew = (device: Device, key: TransactionKey): boolean =>
    device.fingerprints?.has(fingerprintOf(nameOf(key.path, key.txnId))) === false;
  const searchStored = async (device: Device, key: TransactionKey): Promise<Sent | undefined> => {
    if (device.fingerprints === undefined) await readStored(device, key);
    if (isNew(device, key)) return undefined;
    const stored = await findTransactionEvent(db, key);
    return stored === undefined ? undefined : { kind: 'sent', ...stored };
  };

  return {
    recall: (key) => devices.get(key).answers.get(nameOf(key.path, key.txnId))?.answer,
    search(key) {
      const device = devices.get(key);
      return isNew(device, key) ? undefined : searchStored(device, key);
    },
    remember(key, answer) {
      const device = devices.get(key);
      const name = nameOf(key.path, key.txnId);
      const remembered = { answer, isSettled: false };
      device.answers.set(name, remembered);
      device.pending += 1;
      devices.trim();
      const settle = (result: Sent | Refusal | null): void => {
        device.pending -= 1;
        remembered.isSettled = true;
        if (result === null || isRefusal(result)) device.answers.delete(name);
        devices.trimAnswers(device);
      };
      // A rejection crashes the actor through whoever waits for the answer itself.
      void answer.then(settle, () => settle(null));
    },
  };
}
