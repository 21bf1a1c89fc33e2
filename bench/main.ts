import { benchE2ee } from './e2ee.ts';
import { benchFanout } from './fanout.ts';
import { benchFederationIn } from './federation-in.ts';
import { benchFederationJoin } from './federation-join.ts';
import { benchFederationOut } from './federation-out.ts';
import { benchFederation } from './federation.ts';
import { benchLargeRoom } from './large-room.ts';
import { benchMemory } from './memory.ts';
import { benchMessages } from './messages.ts';
import { benchSearch } from './search.ts';
import { benchSend } from './send.ts';
import { benchStart } from './start.ts';
import { benchStateDisk } from './state-disk.ts';
import { benchStateRes } from './state-res.ts';
import { benchSync } from './sync.ts';
import { benchWake } from './wake.ts';

const BENCHES: Readonly<Record<string, (nodeFlags: readonly string[]) => Promise<void>>> = {
  e2ee: benchE2ee,
  send: benchSend,
  wake: benchWake,
  sync: benchSync,
  fanout: benchFanout,
  federation: benchFederation,
  'federation-in': benchFederationIn,
  'federation-out': benchFederationOut,
  'federation-join': benchFederationJoin,
  start: benchStart,
  memory: benchMemory,
  'state-disk': benchStateDisk,
  'state-res': benchStateRes,
  'large-room': benchLargeRoom,
  messages: benchMessages,
  search: benchSearch,
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
