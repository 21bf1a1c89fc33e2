import type { JsonObject } from '../kit/json.ts';

/** What the archive looks like inside. A program restores archives of this format and of those before it. */
export const BACKUP_FORMAT = 1;

/** The members of an archive, in this order; media stand between the configuration and their list. */
export const MEMBERS = {
  manifest: 'manifest.json',
  database: 'troupe.db',
  config: 'config.toml',
  mediaFolder: 'media',
  mediaList: 'media.jsonl',
  summary: 'summary.json',
} as const;

/** Larger ones are no members of ours, in bytes. */
export const TEXT_MEMBER_BYTES_MAX = 1024 * 1024;

/** The first member: what the backup is of. */
export interface BackupManifest {
  readonly format: number;
  readonly serverName: string;
  readonly programVersion: string;
  /** When the snapshot was taken, in milliseconds since the Unix epoch. */
  readonly createdTs: number;
  /** The highest migration of each owner. */
  readonly schema: Readonly<Record<string, number>>;
  readonly database: { readonly sizeBytes: number; readonly sha256: string };
  /** The public names of the signing keys that are in the database. */
  readonly signingKeys: readonly string[];
  /** Whether the files are in the archive, or only their list. */
  readonly media: 'included' | 'listed';
  readonly hasConfig: boolean;
}

/** One line of the list of media: a content that the database knows. */
export interface ListedMedia {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** `missing`: it was not there, or was deleted while the backup ran. `damaged`: it is not what its name says. */
  readonly state: 'included' | 'left-out' | 'missing' | 'damaged';
}

/** Figures of the media of a backup. */
export interface MediaFigures {
  readonly included: number;
  readonly includedBytes: number;
  readonly leftOut: number;
  readonly missing: number;
  readonly damaged: number;
}

/** The last member: its being there proves that the archive is whole. */
export interface BackupSummary {
  readonly media: MediaFigures;
  readonly mediaListSha256: string;
  /** Null when it is not in the archive. */
  readonly configSha256: string | null;
}

/** The archive is damaged, cut short, or not one of ours; the message is for people. */
export class ArchiveRefused extends Error {
  constructor(file: string, reason: string) {
    super(`${file} cannot be used: ${reason}`);
    this.name = 'ArchiveRefused';
  }
}

type Shape = Readonly<Record<string, 'string' | 'number' | 'boolean' | 'object'>>;

const MANIFEST: Shape = {
  format: 'number',
  serverName: 'string',
  programVersion: 'string',
  createdTs: 'number',
  schema: 'object',
  database: 'object',
  signingKeys: 'object',
  media: 'string',
  hasConfig: 'boolean',
};
const SUMMARY: Shape = { media: 'object', mediaListSha256: 'string', configSha256: 'object' };
const LISTED: Shape = { sha256: 'string', sizeBytes: 'number', state: 'string' };

function parseAs(text: string, shape: Shape): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as JsonObject;
  const fits = Object.entries(shape).every(
    ([name, type]) => typeof fields[name] === type || (name === 'configSha256' && fields[name] !== undefined),
  );
  return fits ? fields : undefined;
}

/** Reads the first member; undefined when it is none of ours. */
export function parseManifest(text: string): BackupManifest | undefined {
  const fields = parseAs(text, MANIFEST);
  // A later format may say other things: it is told by its number.
  return fields as unknown as BackupManifest | undefined;
}

/** Reads the last member; undefined when it is none of ours. */
export function parseSummary(text: string): BackupSummary | undefined {
  return parseAs(text, SUMMARY) as unknown as BackupSummary | undefined;
}

/** Reads a line of the list of media; undefined when it is none. */
export function parseListedMedia(line: string): ListedMedia | undefined {
  return parseAs(line, LISTED) as unknown as ListedMedia | undefined;
}
