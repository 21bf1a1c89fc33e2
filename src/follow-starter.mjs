// Loaded into a program that src/troupe.mjs has started: when that one is gone, however it ended, the program ends as if it had been asked to.
process.channel?.unref();
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
