import { globSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM_FOLDER } from '../../src/kit/program-files.ts';

/** A native addon: what is loaded, and what that needs beside it. */
export interface NativeAddon {
  /** Of the package that asks for it. */
  readonly name: string;
  /** Under `node_modules`, with slashes; the first one is loaded. */
  readonly files: readonly string[];
}

function findOne(pattern: string): string {
  const found = globSync(pattern, { cwd: join(PROGRAM_FOLDER, 'node_modules') });
  const [first, ...more] = found;
  if (first === undefined || more.length > 0)
    throw new Error(`expected one file node_modules/${pattern}, found ${found.length}: run "npm ci"`);
  return first.replaceAll('\\', '/');
}

/** The native addons of this platform; those of the others are left out. */
export function listNativeAddons(): readonly NativeAddon[] {
  const target = `${process.platform}-${process.arch}`;
  return [
    { name: 'better-sqlite3', files: [findOne(`better-sqlite3/prebuilds/${target}.node`)] },
    { name: 'sodium-native', files: [findOne(`sodium-native/prebuilds/${target}/sodium-native.node`)] },
    { name: '@node-rs/argon2', files: [findOne('@node-rs/argon2-*/argon2.*.node')] },
    {
      name: 'sharp',
      files: [
        findOne(`@img/sharp-${target}/lib/sharp-*.node`),
        findOne(`@img/sharp-libvips-${target}/lib/libvips-cpp.*`),
      ],
    },
  ];
}
