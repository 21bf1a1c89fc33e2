import { Type } from 'typebox';

const keys = Type.Record(Type.String(), Type.Object({ key: Type.String() }));

/** What a server publishes about its signing keys. Server-Server API v1.19, `GET /_matrix/key/v2/server`. */
export const keyDocumentSchema = Type.Object({
  server_name: Type.String(),
  verify_keys: keys,
  old_verify_keys: Type.Optional(
    Type.Record(Type.String(), Type.Object({ key: Type.String(), expired_ts: Type.Integer() })),
  ),
  valid_until_ts: Type.Integer(),
  signatures: Type.Record(Type.String(), Type.Record(Type.String(), Type.String())),
});

/** An answer of a notary. */
export const documentsSchema = Type.Object({ server_keys: Type.Array(keyDocumentSchema) });

/** Keys are asked for by everybody who has an event of the server: a notary's answer may take as long as that server's. */
export const NOTARY_DEADLINE_MS = 60_000;
