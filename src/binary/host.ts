/** What of the program is found by its path: the names of its texts, and the modules that nothing imports by name. */
export interface ProgramContent {
  /** Paths in the program, with slashes. */
  readonly textNames: readonly string[];
  readonly modules: Readonly<Record<string, () => Promise<Readonly<Record<string, unknown>>>>>;
}

/** What a bundle asks of whatever it was loaded by. */
export interface Host {
  /** The texts of the program, by their path in it. */
  readTexts(): Readonly<Record<string, string>>;
  /** The code of a worker thread that runs a module of the bundle. */
  workerCode(module: string): string;
  /** Loads a native addon, by the name of the package that it belongs to. */
  loadAddon(name: string): unknown;
}

/** What a bundle is once it was evaluated. */
export interface Bundle {
  /** Runs a module, on the main thread or a worker. */
  run(module: string, host: Host): void;
}
