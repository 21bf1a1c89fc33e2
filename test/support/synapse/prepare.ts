import { prepareSynapse } from './environment.ts';

// Makes the environment of Synapse before the tests, whose patience is short; whatever goes wrong, they say it again.
try {
  const prepared = prepareSynapse();
  const outcome = 'missing' in prepared ? `not to be had: ${prepared.missing}` : 'ready';
  process.stdout.write(`Synapse, the peer of the stories: ${outcome}\n`);
} catch (error) {
  process.stdout.write(`Synapse, the peer of the stories: ${String(error)}\n`);
}
