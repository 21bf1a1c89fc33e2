/** The word under which the index knows a room. */
export function roomWord(roomNid: number): string {
  return `r${roomNid}`;
}
