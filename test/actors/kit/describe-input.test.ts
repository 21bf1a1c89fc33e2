import { expect } from 'chai';
import { describeInput } from '../../../actors/kit/describe-input.ts';

describe('the logged input of a crash', () => {
  it('holds no secrets, however deep they stand', () => {
    const input = {
      userId: '@a:x',
      passwordHash: 'secret-1',
      stage: { type: 't', token: 'secret-2' },
      steps: [{ params: { accessToken: 'secret-3', tokenHash: 'h' } }],
    };
    const text = describeInput(input);
    expect(text).to.include('@a:x').and.include("tokenHash: 'h'").and.not.include('secret');
  });

  it('is short, and shows bytes and texts as they are', () => {
    expect(describeInput({ list: Array.from({ length: 1_000 }, () => 'x'.repeat(100)) })).to.have.length(
      1_000,
    );
    expect(describeInput(null)).to.equal('null');
    expect(describeInput({ bytes: new Uint8Array(1) })).to.include('Uint8Array');
  });
});
