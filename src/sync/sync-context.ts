import type { InvitePermission } from '../matrix/invite-permission.ts';
import type { SyncFilter } from '../matrix/sync-filter.ts';
import type { SyncRange } from './sync-range.ts';
import type { SyncCaller, SyncServices } from './sync-services.ts';

/** Which members of a room's state an answer holds. */
export type StateForm = 'state' | 'state_after' | 'org.matrix.msc4222.state_after';

/** Everything that the parts of one answer share. */
export interface SyncContext {
  readonly services: SyncServices;
  readonly caller: SyncCaller;
  readonly filter: SyncFilter;
  readonly range: SyncRange;
  readonly fullState: boolean;
  readonly stateForm: StateForm;
  /** Users whose messages the caller does not want to see. Client-Server API v1.19, "Ignoring Users". */
  readonly ignored: ReadonlySet<string>;
  /** Whose invites the caller wants: of the others nothing is told, also where they came before. */
  readonly invites: InvitePermission;
}
