/** A queue that gives the smallest first: a binary heap. */
export interface SmallestFirst<Item> {
  push(item: Item): void;
  /** Undefined when nothing is left. */
  pop(): Item | undefined;
}

/** @param isBefore a strict order */
export function createSmallestFirst<Item>(
  isBefore: (left: Item, right: Item) => boolean,
): SmallestFirst<Item> {
  const heap: Item[] = [];
  const sink = (item: Item): void => {
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = child + 1;
      if (right < heap.length && isBefore(heap[right] as Item, heap[child] as Item)) child = right;
      if (!isBefore(heap[child] as Item, item)) break;
      heap[at] = heap[child] as Item;
      at = child;
    }
    heap[at] = item;
  };
  return {
    push(item) {
      let at = heap.length;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (!isBefore(item, heap[parent] as Item)) break;
        heap[at] = heap[parent] as Item;
        at = parent;
      }
      heap[at] = item;
    },
    pop() {
      const smallest = heap[0];
      const last = heap.pop();
      if (heap.length > 0 && last !== undefined) sink(last);
      return smallest;
    },
  };
}
