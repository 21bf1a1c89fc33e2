/** How long an invite may take: the keys of its sender's server may have to be fetched. Milliseconds. */
export const INVITE_DEADLINE_MS = 60_000;
