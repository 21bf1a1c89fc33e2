/**
 * The transaction with which a delayed event is sent: no client can name it, and it is the same however often the sending is tried. Its
 * `txnId` is the delay id.
 */
export const DELAYED_TRANSACTION = { deviceId: '', path: '/delayed_events' } as const;
