import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';

/** The numbers in a text, in order, each once. */
function numbersIn(text: string, pattern: RegExp): string[] {
  const numbers = new Set([...text.matchAll(pattern)].map(([, number]) => number ?? ''));
  return [...numbers].toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
}

describe('RUNTIME.md', () => {
  const page = readFileSync(new URL('../../../actors/kit/RUNTIME.md', import.meta.url), 'utf8');
  const promised = numbersIn(page, /\*\*(R\d+)\*\*/g);

  it('numbers its sentences without a gap', () => {
    expect(promised).to.deep.equal(promised.map((_, index) => `R${index + 1}`));
    expect(promised).to.have.lengthOf.at.least(30);
  });

  it('has a test for each number, and each number in a test stands in it', () => {
    const folder = new URL('./', import.meta.url);
    const titles = readdirSync(folder)
      .filter((name) => name.endsWith('.test.ts'))
      .flatMap((name) => [...readFileSync(new URL(name, folder), 'utf8').matchAll(/\bit\(\s*[`'"](.*)/g)])
      .map(([, title]) => title)
      .join('\n');
    expect(numbersIn(titles, /\b(R\d+)\b/g)).to.deep.equal(promised);
  });
});
