/** First in, first out, up to a limit. All operations cost constant time. */
export interface BoundedQueue<Item> {
  readonly size: number;
  readonly limit: number;
  /** Adds at the end. Gives false, and adds nothing, when the queue is full. */
  push(item: Item): boolean;
  /** Adds at the front. Gives false, and adds nothing, when the queue is full. */
  unshift(item: Item): boolean;
  /** Takes the first. */
  shift(): Item | undefined;
  /** Looks at the first. */
  peek(): Item | undefined;
  clear(): void;
}

const CAPACITY_FIRST = 8;

/**
 * Makes an empty queue: a ring that grows by doubling, so that an empty queue with a high limit costs nothing.
 *
 * @param limit items it may hold, at least 1
 */
export function createBoundedQueue<Item>(limit: number): BoundedQueue<Item> {
  if (!Number.isInteger(limit) || limit < 1)
    throw new RangeError(`a queue holds at least one item, not ${limit}`);
  let ring: (Item | undefined)[] = Array.from({ length: CAPACITY_FIRST });
  let head = 0;
  let size = 0;

  const grow = (): void => {
    const larger: (Item | undefined)[] = Array.from({ length: ring.length * 2 });
    for (let index = 0; index < size; index += 1) larger[index] = ring[(head + index) & (ring.length - 1)];
    ring = larger;
    head = 0;
  };

  return {
    limit,
    get size() {
      return size;
    },
    push(item) {
      if (size === limit) return false;
      if (size === ring.length) grow();
      ring[(head + size) & (ring.length - 1)] = item;
      size += 1;
      return true;
    },
    unshift(item) {
      if (size === limit) return false;
      if (size === ring.length) grow();
      head = (head - 1) & (ring.length - 1);
      ring[head] = item;
      size += 1;
      return true;
    },
    shift() {
      if (size === 0) return undefined;
      const item = ring[head];
      ring[head] = undefined;
      head = (head + 1) & (ring.length - 1);
      size -= 1;
      return item;
    },
    peek: () => (size === 0 ? undefined : ring[head]),
    clear() {
      ring = Array.from({ length: CAPACITY_FIRST });
      head = 0;
      size = 0;
    },
  };
}
