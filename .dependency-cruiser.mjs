// Imports point down: main → actors → http, sync → streams → db/<owner> → db/kit → matrix → kit (ARCHITECTURE.md).
const TYPES_OF_ACTORS = '^actors/(protocols|[a-z-]+/protocol|kit/(protocol|ref))\\.ts$';

/** Everything but what is listed. */
const others = (...allowed) => ({ pathNot: allowed });

export default {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'kit-imports-node-only',
      severity: 'error',
      from: { path: '^src/kit/' },
      to: { path: '^(src|actors|db)/', ...others('^src/kit/') },
    },
    {
      name: 'config-imports-kit',
      severity: 'error',
      from: { path: '^src/config/' },
      to: { path: '^(src|actors|db)/', ...others('^src/(kit|config)/') },
    },
    {
      name: 'matrix-is-pure',
      severity: 'error',
      from: { path: '^src/matrix/' },
      to: { path: '^(src|actors|db)/', ...others('^src/(kit|matrix)/') },
    },
    {
      name: 'db-kit-points-down',
      severity: 'error',
      from: { path: '^db/kit/' },
      to: { path: '^(src|actors|db)/', ...others('^src/(kit|matrix)/', '^db/kit/') },
    },
    {
      name: 'db-points-down',
      severity: 'error',
      from: { path: '^db/' },
      to: { path: '^(src|actors)/', ...others('^src/(kit|matrix)/') },
    },
    {
      name: 'streams-point-down',
      severity: 'error',
      from: { path: '^src/streams/' },
      to: { path: '^(src|actors)/', ...others('^src/(kit|matrix|streams|config)/', TYPES_OF_ACTORS) },
    },
    {
      name: 'sync-knows-no-socket',
      severity: 'error',
      from: { path: '^src/sync/' },
      to: { path: '^(src|actors)/', ...others('^src/(kit|matrix|streams|config|sync)/', TYPES_OF_ACTORS) },
    },
    {
      name: 'directory-knows-no-socket',
      severity: 'error',
      from: { path: '^src/directory/' },
      to: {
        path: '^(src|actors)/',
        ...others('^src/(kit|matrix|streams|config|sync|directory)/', TYPES_OF_ACTORS),
      },
    },
    {
      name: 'state-resolution-knows-no-socket',
      severity: 'error',
      from: { path: '^src/state-resolution/' },
      to: { path: '^(src|actors)/', ...others('^src/(kit|matrix|state-resolution)/', TYPES_OF_ACTORS) },
    },
    {
      name: 'media-knows-no-row',
      severity: 'error',
      from: { path: '^src/media/' },
      to: { path: '^(src|actors|db)/', ...others('^src/(kit|matrix|http-client|media)/') },
    },
    {
      name: 'sharp-in-one-folder',
      severity: 'error',
      // The pool keeps the library loaded while its threads come and go.
      from: { path: '^(src|actors|db)/', pathNot: '^(src/media/|actors/pool/actor)' },
      to: { path: 'node_modules/sharp/' },
    },
    {
      name: 'src-knows-actors-by-protocol',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^actors/', ...others(TYPES_OF_ACTORS) },
    },
    {
      name: 'only-an-owner-writes',
      severity: 'error',
      from: { path: '^(src|actors|db)/', pathNot: '^(actors/([a-z-]+)/|db/([a-z-]+)/)' },
      to: { path: '^db/[a-z-]+/writer' },
    },
    {
      name: 'an-owner-writes-its-own',
      severity: 'error',
      from: { path: '^actors/([a-z-]+)/' },
      to: { path: '^db/[a-z-]+/writer', pathNot: '^db/$1/writer' },
    },
    {
      name: 'sqlite-in-one-folder',
      severity: 'error',
      from: { path: '^(src|actors|db)/', pathNot: '^db/kit/' },
      to: { path: 'node_modules/better-sqlite3' },
    },
    {
      name: 'koa-in-one-folder',
      severity: 'error',
      from: { path: '^(src|actors|db)/', pathNot: '^src/http/kit/' },
      to: { path: 'node_modules/(koa|@koa/router)/' },
    },
    {
      name: 'pino-in-one-folder',
      severity: 'error',
      from: { path: '^(src|actors|db)/', pathNot: '^src/kit/' },
      to: { path: 'node_modules/pino/' },
    },
    {
      name: 'commander-in-one-folder',
      severity: 'error',
      from: { path: '^(src|actors|db)/', pathNot: '^src/cli/' },
      to: { path: 'node_modules/commander/' },
    },
    {
      name: 'product-never-imports-tests',
      severity: 'error',
      from: { path: '^(src|actors|db)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'no-dev-dependency-in-product',
      severity: 'error',
      from: { path: '^(src|actors|db)/' },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
        pathNot: 'node_modules/@types/',
      },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    parser: 'swc',
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js'],
    },
  },
};
