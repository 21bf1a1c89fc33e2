import { hashSync, verifySync } from '@node-rs/argon2';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { EventCheck } from '../../src/federation/trust/check-events.ts';
import type { RenderTask } from '../../src/media/render-thumbnail.ts';
import type { ThumbnailFile } from '../../src/media/thumbnail.ts';
import type { StateDifference, StateExplanation } from '../../src/state-resolution/explanation.ts';
import type { CheckedEvent } from '../server-keys/protocol.ts';
import type { DifferenceTask, ExplanationTask, ResolutionTask, ResolvedStates } from './protocol.ts';

/**
 * argon2id with 19 MiB and two passes: the first choice of the OWASP cheat sheet for password storage. The package names its algorithms by
 * a const enum, which type stripping cannot see; argon2id is its default, and the PHC text says so.
 */
const ARGON2_OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/**
 * A hash of a random password that nobody kept, made with {@link ARGON2_OPTIONS}: comparing with it costs what comparing with a real
 * one costs, so that the time of an answer does not tell whether an account exists.
 */
const DECOY_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$/kgwc9cv81E6OPNyhE+IuQ$6MchcsacpBPM6W8e7tkLtXxLyZYxRBspLeMuQ8zJo3Q';

/** Hashes a password: gives PHC text. Synchronous, because this thread is there for it and the threads of libuv are not. */
export function hashPassword(task: { readonly password: string }): string {
  return hashSync(task.password, ARGON2_OPTIONS);
}

/**
 * Compares a password with a hash; a null hash costs the same and never matches.
 *
 * @throws Error when the hash is not PHC text of argon2
 */
export function verifyPassword(task: { readonly password: string; readonly hash: string | null }): boolean {
  const matches = verifySync(task.hash ?? DECOY_HASH, task.password);
  return matches && task.hash !== null;
}

// Loaded with the first task of its kind: a thread that checks passwords needs no database.

/** Checks events of another server. */
export async function checkEvents(task: EventCheck): Promise<readonly CheckedEvent[]> {
  return (await import('../../src/federation/trust/check-events.ts')).checkEvents(task);
}

/** Makes a thumbnail. */
export async function renderThumbnail(task: RenderTask): Promise<ThumbnailFile | Refusal> {
  return (await import('../../src/media/render-thumbnail.ts')).renderThumbnail(task);
}

/** Resolves states of the database. */
export async function resolveState(task: ResolutionTask): Promise<ResolvedStates> {
  return (await import('./state-tasks.ts')).runResolution(task);
}

/** Says why an entry of a state is what it is. */
export async function explainState(task: ExplanationTask): Promise<StateExplanation | Refusal> {
  return (await import('./state-tasks.ts')).runExplanation(task);
}

/** Says in what two states differ. */
export async function diffStates(task: DifferenceTask): Promise<StateDifference | Refusal> {
  return (await import('./state-tasks.ts')).runDifference(task);
}
