/** How long a membership may take that needs other servers: several are tried, and a large state is stored. Milliseconds. */
export const REMOTE_DEADLINE_MS = 300_000;
