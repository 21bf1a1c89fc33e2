import { type Static, Type } from 'typebox';
import type { Json } from '../../../kit/json.ts';
import { fitsInBytes } from '../../../matrix/identifiers/brand.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** The longest name of a profile field, in bytes. Client-Server API v1.19, "Profiles". */
export const PROFILE_FIELD_NAME_BYTES_MAX = 255;
/** The longest display name, in bytes of UTF-8: it stands in every member event of the user. */
export const DISPLAYNAME_BYTES_MAX = 1_024;
/** The longest avatar URL, in bytes. */
export const AVATAR_URL_BYTES_MAX = 1_024;

const UNSTABLE_PROPAGATE = 'org.matrix.msc4069.propagate';

/** The query of a change of one's profile. MSC4069. */
export const PROPAGATION = Type.Object({
  propagate: Type.Optional(Type.Boolean()),
  [UNSTABLE_PROPAGATE]: Type.Optional(Type.Boolean()),
});

/** True when the rooms of the user are not to be told. */
export function staysOutOfRooms(query: Static<typeof PROPAGATION>): boolean {
  return (query[UNSTABLE_PROPAGATE] ?? query.propagate) === false;
}

/** The common namespaced identifier grammar, and the fields that the specification itself names. */
const FIELD_NAME = /^(avatar_url|displayname|m\.tz|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+)$/;

/** Refuses a display name that is too long, with M_INVALID_PARAM. */
export function checkDisplayname(displayname: string): Refusal | undefined {
  if (fitsInBytes(displayname, DISPLAYNAME_BYTES_MAX)) return undefined;
  return refuse('M_INVALID_PARAM', `A display name has at most ${DISPLAYNAME_BYTES_MAX} bytes.`);
}

function checkAvatarUrl(url: string): Refusal | undefined {
  if (fitsInBytes(url, AVATAR_URL_BYTES_MAX)) return undefined;
  return refuse('M_INVALID_PARAM', `An avatar URL has at most ${AVATAR_URL_BYTES_MAX} bytes.`);
}

/** Refuses the name of a profile field: M_KEY_TOO_LARGE, M_INVALID_PARAM. */
export function checkFieldName(field: string): Refusal | undefined {
  if (!fitsInBytes(field, PROFILE_FIELD_NAME_BYTES_MAX)) {
    return refuse(
      'M_KEY_TOO_LARGE',
      `The name of a profile field has at most ${PROFILE_FIELD_NAME_BYTES_MAX} bytes.`,
    );
  }
  return FIELD_NAME.test(field)
    ? undefined
    : refuse('M_INVALID_PARAM', 'This is not the name of a profile field.');
}

/**
 * What a field becomes: JSON text, or null when it goes. The empty text takes away a display name or avatar, as clients did before
 * fields could be deleted.
 * Client-Server API v1.19, "Profiles".
 *
 * @returns M_INVALID_PARAM when the value is not of the field's kind
 */
export function parseFieldValue(
  field: string,
  value: Json,
): { readonly kind: 'value'; readonly valueJson: string | null } | Refusal {
  const isText = typeof value === 'string';
  const isForMembers = field === 'displayname' || field === 'avatar_url';
  if ((isForMembers || field === 'm.tz') && !isText) {
    return refuse('M_INVALID_PARAM', `The field "${field}" is a text.`);
  }
  if (isForMembers && value === '') return { kind: 'value', valueJson: null };
  const check = field === 'displayname' ? checkDisplayname : checkAvatarUrl;
  const problem = isForMembers && isText ? check(value) : undefined;
  return problem ?? { kind: 'value', valueJson: JSON.stringify(value) };
}
