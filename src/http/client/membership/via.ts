import { Type } from 'typebox';

/** Servers that a client names in one request and that are looked at. */
const VIA_MAX = 20;

/** The servers that a client says are in a room: `server_name` is what `via` was called before. Client-Server API v1.19, `POST /join`. */
export const VIA_QUERY = Type.Object({
  via: Type.Optional(Type.Array(Type.String())),
  server_name: Type.Optional(Type.Array(Type.String())),
});

/** The servers that a client names; `via` wins where both are there. */
export function viaOf(query: {
  readonly via?: readonly string[];
  readonly server_name?: readonly string[];
}): readonly string[] {
  return (query.via ?? query.server_name ?? []).slice(0, VIA_MAX);
}
