/** What of a Node process decides whether a bundle is right for it; `process` is one. */
export interface NodeProcess {
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Names the Node that a bundle is for: its version, and the flags that say how much memory it may use.
 *
 * @returns null when it was told to load, watch or debug something: then only the sources are right
 */
export function describeNode(node: NodeProcess): string | null;

/**
 * A hash of what can be seen of the program's files without reading them: names, sizes, times of the last changes, and inodes. A file that is
 * new, gone, changed, or only touched makes it another one; inside of `node_modules` only what npm installs.
 *
 * @param root the folder of the program
 * @param node as `describeNode` names it
 */
export function fingerprint(root: string, node: string): string;
