import { benchMemory } from './memory.ts';
import { benchSend } from './send.ts';
import { benchStart } from './start.ts';
import { benchWake } from './wake.ts';

const BENCHES: Readonly<Record<string, (nodeFlags: readonly string[]) => Promise<void>>> = {
  send: benchSend,
  wake: benchWake,
  start: benchStart,
  memory: benchMemory,
};

const [name = '', ...nodeFlags] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(
    `usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [flags for node, such as --cpu-prof]`,
  );
  process.exitCode = 2;
} else {
  await bench(nodeFlags);
}
