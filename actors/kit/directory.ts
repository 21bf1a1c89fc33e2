/** Where an actor lives. The position of its entry in {@link Directory.actors} is its number. */
export interface ActorPlace {
  readonly name: string;
  /** Position of its thread in {@link Directory.threads}. */
  readonly thread: number;
  /** Its place among the actors of its thread, in start order: its address on the wire. */
  readonly slot: number;
}

/** All threads and actors of the system, in start order: made once from the tree, the same on every thread. */
export interface Directory {
  readonly threads: readonly string[];
  readonly actors: readonly ActorPlace[];
  /** Actors that exist and do not run this time: who sends them something is told that they have stopped. */
  readonly absent: readonly string[];
}
