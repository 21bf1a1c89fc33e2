import { defineCommand, EXIT } from '../command.ts';

export const checkConfigCommand = defineCommand<{ readonly json?: true }>({
  name: 'check-config',
  summary: 'say what is wrong with a configuration, without starting anything',
  help: `Errors, which keep the server from starting, give the exit code 1; warnings do not. Run it as the user
whom the server runs as: then it also sees which files cannot be read.`,
  define: (command) => command.option('--json', 'as a JSON array of objects'),
  async run(context, { options }) {
    const [{ ConfigError }, { checkConfig, checkSecrecy, lowestPort }] = await Promise.all([
      import('../../config/load-config.ts'),
      import('../config-check.ts'),
    ]);
    const { configFile } = context;
    const find = (): ReturnType<typeof checkConfig> => {
      try {
        const config = context.loadConfig();
        return [
          ...checkConfig(config, lowestPort()),
          ...(configFile === undefined ? [] : checkSecrecy(configFile, config)),
        ];
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        return error.problems.map((problem) => ({ level: 'error' as const, ...problem }));
      }
    };
    const findings = find();
    const hasErrors = findings.some(({ level }) => level === 'error');
    if (options.json === true) await context.print(`${JSON.stringify(findings, null, 2)}\n`);
    else {
      for (const { level, where, what } of findings) await context.print(`${level}: ${where}: ${what}\n`);
      const name = configFile ?? 'the built-in configuration with what the environment says';
      context.say(hasErrors ? `${name} cannot be used.` : `${name} can be used.`);
    }
    return hasErrors ? EXIT.failed : EXIT.done;
  },
});
