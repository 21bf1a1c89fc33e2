import { defineCommand } from '../command.ts';

export const startCommand = defineCommand({
  name: 'start',
  summary: 'start the server (also without a command)',
  async run({ configFile }) {
    const { startServer } = await import('../start-server.ts');
    await startServer(configFile);
    return null;
  },
});
