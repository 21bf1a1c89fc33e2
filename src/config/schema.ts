import { type Static, Type } from 'typebox';

const HOST_AND_PORT = '^(\\[[0-9a-fA-F:.]+\\]|[^\\s:\\[\\]]+):[0-9]{1,5}$';
const SERVER_NAME = '^([0-9A-Za-z.-]{1,255}|\\[[0-9a-fA-F:.]{2,45}\\])(:[0-9]{1,5})?$';

const listen = Type.String({ pattern: HOST_AND_PORT, description: '"host:port"' });
const rateLimit = Type.Object(
  {
    per_second: Type.Number({ exclusiveMinimum: 0, description: 'a number above 0' }),
    burst: Type.Integer({ minimum: 1, description: 'a whole number from 1' }),
  },
  { additionalProperties: false, description: '{ per_second = NUMBER, burst = NUMBER }' },
);
const flag = Type.Boolean({ description: 'true or false' });
const text = Type.String({ description: 'a text' });

function section<Properties extends Type.TProperties>(properties: Properties): Type.TObject<Properties> {
  return Type.Object(properties, { additionalProperties: false, description: 'a section' });
}

/**
 * The configuration file as it is written: snake_case. Every key is required here, because the built-in `config.toml` gives every
 * default; `description` says to people what is allowed.
 */
// The literal is the type: spelling it out would say everything twice.
// oxlint-disable-next-line typescript/explicit-module-boundary-types
export function configFileSchema(roomVersions: readonly string[]) {
  return section({
    server: section({
      name: Type.String({ pattern: SERVER_NAME, description: 'a host name with an optional port' }),
      listen,
      gateways: Type.Integer({ minimum: 0, maximum: 64, description: 'a whole number from 0 to 64' }),
      public_base_url: Type.String({
        pattern: '^(https?://[^\\s]+)?$',
        description: 'an http(s) URL, or empty',
      }),
      admin_contact: text,
    }),
    data: section({ path: Type.String({ minLength: 1, description: 'the path of a folder' }) }),
    registration: section({ open: flag, shared_secret: text }),
    rate_limits: section({
      enabled: flag,
      login: rateLimit,
      registration: rateLimit,
      message: rateLimit,
      membership: rateLimit,
      reading: rateLimit,
      ephemeral: rateLimit,
    }),
    rooms: section({
      default_version: Type.Enum([...roomVersions], {
        description: `one of ${roomVersions.map((id) => `"${id}"`).join(', ')}`,
      }),
    }),
    inspector: section({ listen }),
    log: section({
      level: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
        description: 'one of trace, debug, info, warn, error, silent',
      }),
    }),
    federation: section({
      listen: Type.String({
        pattern: `^$|${HOST_AND_PORT}`,
        description: '"host:port", or empty',
      }),
      tls_certificate: text,
      tls_key: text,
      ca_file: text,
      allow_private_addresses: flag,
    }),
    appservices: section({ path: text }),
    actors: section({
      placement: Type.Record(Type.String(), Type.String(), {
        description: 'a table of actor = "thread"',
      }),
    }),
  });
}

/** A configuration file as an object, every key given. */
export type ConfigFile = Static<ReturnType<typeof configFileSchema>>;
