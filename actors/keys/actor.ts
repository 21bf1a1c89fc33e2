import type { KeysRow } from '../../db/keys/stream-reader.ts';
import { deleteDevices, devicesWithKeys, forgetUser } from '../../db/keys/writer.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import { keysStream } from '../../src/streams/keys-stream.ts';
import { commit } from '../commit.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { type DurableStreamOwner, ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { createAnnouncer } from './announcer.ts';
import { claimAll } from './claim-keys.ts';
import type { KeysProtocol, KeysStored } from './protocol.ts';
import { storeCrossSigning } from './store-cross-signing.ts';
import { addSignatures } from './store-signatures.ts';
import { uploadKeys } from './upload-keys.ts';

const MAILBOX_LIMIT = 10_000;
/** Changes of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;

/** What is read before it is written has to stand still meanwhile. Claims read nothing. */
const ORDERED_BY_USER: ReadonlySet<keyof KeysProtocol> = new Set([
  'keys.upload',
  'keys.store-cross-signing',
  'keys.add-signatures',
  'keys.delete-devices',
  'keys.forget-user',
  'keys.announce-leftovers',
]);

function orderKey(message: keyof KeysProtocol, input: unknown): string | null {
  return ORDERED_BY_USER.has(message) ? (input as { readonly userId: string }).userId : null;
}

async function removeDevices(
  context: TroupeContext,
  owner: DurableStreamOwner<KeysRow>,
  { userId, deviceIds: wanted }: InputOf<KeysProtocol, 'keys.delete-devices'>,
): Promise<KeysStored | Refusal> {
  const found = await context.env.db.all(devicesWithKeys, { userId, deviceIds: JSON.stringify(wanted) });
  const deviceIds = found.map(({ deviceId }) => deviceId);
  if (deviceIds.length === 0) return { kind: 'stored', marks: [] };
  const outcome = await owner.write({
    count: deviceIds.length,
    steps: deleteDevices(userId, deviceIds),
    rows: () => deviceIds.map((deviceId) => [{ kind: 'counts', userId, deviceId }]),
  });
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') throw new Error(`a deletion has no guard, yet ${outcome.refusal}`);
  return { kind: 'stored', marks: [{ stream: 'keys', position: owner.currentToken() }] };
}

async function forget(
  context: TroupeContext,
  userId: string,
): Promise<OutputOf<KeysProtocol, 'keys.forget-user'>> {
  const outcome = await commit(context, forgetUser(userId));
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') throw new Error(`forgetting has no guard, yet ${outcome.refusal}`);
  return { kind: 'forgotten' };
}

/** Owner of the keys stream and of all keys of local users and their devices: what clients need to encrypt for each other. */
export const keysActor = defineActor<KeysProtocol>({
  name: 'keys',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'by-key', turnBudget: TURN_BUDGET, key: orderKey },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, keysStream);
    const announcer = createAnnouncer(context);
    await announcer.findLeftovers();
    return {
      handlers: {
        ...handlers,
        'keys.upload': (upload) => uploadKeys(context, owner, announcer, upload),
        'keys.claim': ({ claims }) => claimAll(context, owner, claims),
        'keys.store-cross-signing': (store) => storeCrossSigning(context, owner, announcer, store),
        'keys.add-signatures': ({ userId, signatures }) =>
          addSignatures(context, owner, announcer, userId, signatures),
        'keys.delete-devices': (deletion) => removeDevices(context, owner, deletion),
        'keys.forget-user': ({ userId }) => forget(context, userId),
        'keys.announce-leftovers': ({ userId }) => announcer.announceLeftovers(userId),
      },
    };
  },
});
