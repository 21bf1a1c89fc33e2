/** Tests a number of members. */
export type MemberCountTest = (count: number) => boolean;

const FORM = /^(==|<=|>=|<|>|)([0-9]+)$/;

const COMPARE: Readonly<Record<string, (count: number, limit: number) => boolean>> = {
  '': (count, limit) => count === limit,
  '==': (count, limit) => count === limit,
  '<': (count, limit) => count < limit,
  '>': (count, limit) => count > limit,
  '<=': (count, limit) => count <= limit,
  '>=': (count, limit) => count >= limit,
};

/**
 * What `is` of a `room_member_count` condition asks for: a decimal number after one of `==`, `<`, `>`, `>=`, `<=` or nothing.
 * Client-Server API v1.19, "Push Rules", "Conditions". Null for anything else, which never matches.
 */
export function parseMemberCount(is: string): MemberCountTest | null {
  const [, comparison = '', digits] = FORM.exec(is) ?? [];
  const compare = COMPARE[comparison];
  if (digits === undefined || compare === undefined) return null;
  const limit = Number(digits);
  return (count) => compare(count, limit);
}
