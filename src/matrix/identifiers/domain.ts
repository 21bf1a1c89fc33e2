/**
 * The domain of a user id, room id, room alias or event id: everything after the first colon. A localpart never has a colon,
 * a domain may (`@x:[::1]:80`), which is why the last colon or a suffix match would be wrong.
 *
 * The id is not validated: use the parser of its kind at the edge.
 *
 * @returns undefined when the id has no domain: room ids of room version 12, event ids of room version 3 and later
 */
export function domainOf(id: string): string | undefined {
  const colon = id.indexOf(':');
  return colon === -1 ? undefined : id.slice(colon + 1);
}

/** True when an id's domain is exactly `serverName`. */
export function isOfServer(id: string, serverName: string): boolean {
  const colon = id.indexOf(':');
  return colon !== -1 && id.length === colon + 1 + serverName.length && id.endsWith(serverName);
}
