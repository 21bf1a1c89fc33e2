/** One part that serving needs, and what is wrong with it; null when nothing is. */
export interface PartReport {
  readonly name: 'supervisor' | 'store' | 'committer' | 'gateways' | 'disk';
  readonly fault: string | null;
}

/** Whether requests should be sent here. */
export interface ReadinessReport {
  readonly isReady: boolean;
  readonly parts: readonly PartReport[];
}
