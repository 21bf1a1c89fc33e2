/** The key with which a policy server signs events: `m.room.policy` names it, and no server publishes it as its own. Server-Server API v1.19, "Policy servers". */
export const POLICY_KEY_ID = 'ed25519:policy_server';
