/**
 * What the program, the system or the argument parser says on purpose has a name or a code of its own, and its message is for people; anything
 * else is a defect, and its stack is wanted.
 */
export function isExpectedError(error: unknown): error is Error {
  return (
    error instanceof Error && (!['Error', 'TypeError', 'RangeError'].includes(error.name) || 'code' in error)
  );
}
