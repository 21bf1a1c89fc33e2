import { defineMemoryStream } from './stream.ts';

export type TypingRow = {
  readonly roomId: string;
  /** Everyone who types there now. */
  readonly userIds: readonly string[];
};

/** Who types where; owned by `typing`. */
export const typingStream = defineMemoryStream<'typing', TypingRow>({
  name: 'typing',
  letter: 't',
  owner: 'typing',
  key: (row) => row.roomId,
  forgotten: ({ roomId, userIds }) => (userIds.length === 0 ? null : { roomId, userIds: [] }),
  wakes: (row) => [`room:${row.roomId}`],
  invalidates: () => [],
});
