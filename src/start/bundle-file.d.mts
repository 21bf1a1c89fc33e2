/** A bundle in an open file: all threads read from the one descriptor, so that they run the same program even when the file is replaced or removed. */
export interface OpenBundle {
  /** The descriptor. */
  readonly file: number;
  /** Where the sections begin in the file, in bytes. */
  readonly start: number;
  /** Where each section begins behind that, and its length, in bytes. */
  readonly sections: Readonly<Record<string, readonly [number, number]>>;
  /** The file under `node_modules` that holds a native addon, by the name of its package. */
  readonly addons: Readonly<Record<string, string>>;
}

/** The folder that holds the bundle of a program, and nothing else. */
export function bundleFolder(root: string): string;

/** The file that holds the bundle of a program. */
export function bundleFile(root: string): string;

/**
 * Gives what to write, piece after piece, to make a file that `openBundle` opens.
 *
 * @param description what the bundle was made of, and what it needs beside it
 * @param parts the sections, by their name
 */
export function packBundle(
  description: { readonly fingerprint: string; readonly addons: OpenBundle['addons'] },
  parts: Readonly<Record<string, Uint8Array>>,
): readonly Uint8Array[];

/**
 * Opens a bundle, checks that it is whole and nobody else's, and that it was made of what is there now.
 *
 * @param expected the fingerprint of what is there
 * @param user the effective user; undefined on systems that have none
 * @returns why it cannot be run, for people, when it cannot
 */
export function openBundle(path: string, expected: string, user: number | undefined): OpenBundle | string;

/** Reads a section. Undefined when there is none of that name. */
export function readSection(bundle: OpenBundle, name: string): Buffer | undefined;
