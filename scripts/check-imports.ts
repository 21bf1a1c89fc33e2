// The import rules, with proof that something was inspected: beside TypeScript 7 the tool can find no module at all and call that fine.
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string; readonly severity: string };
}

interface Cruise {
  readonly modules: readonly { readonly source: string; readonly dependencies: readonly unknown[] }[];
  readonly summary: { readonly violations: readonly Violation[] };
}

const SOURCES = ['src', 'actors', 'db'];
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

const output = execFileSync(
  'depcruise',
  [...SOURCES, '--config', '.dependency-cruiser.mjs', '--output-type', 'json'],
  { encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX, stdio: ['ignore', 'pipe', 'ignore'] },
);
const cruise = JSON.parse(output) as Cruise;
const expected = globSync(SOURCES.map((folder) => `${folder}/**/*.ts`));
const seen = new Set(cruise.modules.map((module) => module.source));
const missed = expected.filter((file) => !seen.has(file));
const edges = cruise.modules.reduce((sum, module) => sum + module.dependencies.length, 0);
const violations = cruise.summary.violations.filter((violation) => violation.rule.severity === 'error');

for (const { rule, from, to } of violations) process.stderr.write(`${rule.name}: ${from} → ${to}\n`);
if (missed.length > 0) process.stderr.write(`not inspected: ${missed.join(', ')}\n`);
if (expected.length === 0 || edges === 0) process.stderr.write('nothing was inspected\n');
if (violations.length > 0 || missed.length > 0 || expected.length === 0 || edges === 0) process.exitCode = 1;
else process.stdout.write(`imports: ${expected.length} modules, ${edges} imports, all pointing down\n`);
