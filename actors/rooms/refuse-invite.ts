import type { InvitePermission } from '../../src/matrix/invite-permission.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { EventProposal } from './protocol.ts';

/** What refusing invites looks at. */
export interface InviteDesk {
  readonly serverName: string;
  /** Whose invites a local user wants. */
  invitesOf(userId: string): InvitePermission | Promise<InvitePermission>;
}

/**
 * Refuses an invite that its user wants refused: 403 M_INVITE_BLOCKED. What other servers' users want, those say themselves.
 * Client-Server API v1.19, "Invite permission"; MSC4155.
 */
export async function refuseInvite(
  desk: InviteDesk,
  inviter: string,
  invited: string,
): Promise<Refusal | undefined> {
  if (!isOfServer(invited, desk.serverName)) return undefined;
  const permission = await desk.invitesOf(invited);
  if (permission.verdictOf(inviter) !== 'block') return undefined;
  return refuse('M_INVITE_BLOCKED', `${invited} does not want your invites.`);
}

/** The same for the first events of a room: one blocked invite refuses them all. */
export async function refuseInvitesAmong(
  desk: InviteDesk,
  inviter: string,
  events: readonly EventProposal[],
): Promise<Refusal | undefined> {
  for (const { type, stateKey, content } of events) {
    if (type !== 'm.room.member' || stateKey === undefined || content['membership'] !== 'invite') continue;
    const refusal = await refuseInvite(desk, inviter, stateKey);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
