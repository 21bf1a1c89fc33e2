// The floor of everything that asks other servers: bare undici with TLS and connections that are kept, one request to each server at a time.
// node floor-https-client.ts CA_FILE BODY_BYTES ROUNDS NAME... prints the processor time of one request in microseconds.
import { readFileSync } from 'node:fs';
import { Pool } from 'undici';

const [caFile = '', bodyBytes = '0', rounds = '1', ...names] = process.argv.slice(2);
const ca = readFileSync(caFile);
const PADDING = '{"pdus":[{"content":""}]}';
const body = PADDING.replace('""', `"${'x'.repeat(Math.max(0, Number(bodyBytes) - PADDING.length))}"`);
const pools = names.map((name) => new Pool(`https://${name}`, { connect: { ca }, connections: 1 }));

async function askAll(): Promise<void> {
  await Promise.all(
    pools.map(async (pool) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await pool.request({
        method: 'PUT',
        path: '/_matrix/federation/v1/send/t',
        headers,
        body,
      });
      await answer.body.text();
    }),
  );
}

// Connections and compiled code first.
for (let round = 0; round < Number(rounds); round += 1) await askAll();
const before = process.cpuUsage();
for (let round = 0; round < Number(rounds); round += 1) await askAll();
const { user, system } = process.cpuUsage(before);
console.log(((user + system) / Number(rounds) / pools.length).toFixed(1));
await Promise.all(pools.map((pool) => pool.close()));
