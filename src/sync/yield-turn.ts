import { setImmediate } from 'node:timers/promises';

/** How many rooms are put together before the other requests of the thread get a turn. */
const ROOMS_PER_TURN = 20;

/**
 * Lets a long answer give way: with SQLite a whole answer would otherwise be one turn of the event loop.
 *
 * @returns a function to be called once per room
 */
export function makeTurnTaker(): () => Promise<void> {
  let rooms = 0;
  return async () => {
    rooms += 1;
    if (rooms % ROOMS_PER_TURN === 0) await setImmediate();
  };
}
