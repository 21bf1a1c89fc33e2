import { expect } from 'chai';
import { BUSY_RETRY_AFTER_MS, unavailableRefusal } from '../../actors/unavailable-refusal.ts';
import type { StorageFault } from '../../db/kit/write-set.ts';
import type { Config } from '../../src/config/config.ts';

const config = { server: { adminContact: 'mailto:admin@example.org' } } as Config;

describe('what clients are told while storage cannot be written', () => {
  const words: Readonly<Record<StorageFault, string>> = {
    'disk-full': 'disk of this server is full',
    'read-only': 'is read-only',
    'input-output': 'reports errors',
    busy: 'is busy',
  };
  for (const [fault, text] of Object.entries(words) as [StorageFault, string][])
    it(`${fault}: M_RESOURCE_LIMIT_EXCEEDED with the admin's contact`, () => {
      const refusal = unavailableRefusal({ kind: 'unavailable', fault, detail: '/secret/path' }, config);
      expect(refusal).to.deep.include({ kind: 'refused', errcode: 'M_RESOURCE_LIMIT_EXCEEDED', status: 503 });
      expect(refusal.error).to.include(text).and.not.include('secret');
      expect(refusal.extra?.['admin_contact']).to.equal('mailto:admin@example.org');
      expect(refusal.extra?.['retry_after_ms']).to.equal(fault === 'busy' ? BUSY_RETRY_AFTER_MS : undefined);
    });
});
