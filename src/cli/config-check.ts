import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { supervisionTree } from '../../actors/supervision.ts';
import { readAuthorities } from '../http-client/authorities.ts';
import { readCertificate } from '../http/kit/tls-certificate.ts';
import type { Config, ListenAddress } from '../config/config.ts';
import { isExpectedError } from './expected-error.ts';

/** Something about a configuration: an `error` keeps the server from starting, a `warning` from doing what is probably meant. */
export interface Finding {
  readonly level: 'error' | 'warning';
  /** `file:line`, an environment variable, or an option. */
  readonly where: string;
  readonly what: string;
}

type Check = (config: Config) => readonly Finding[];

const UNPRIVILEGED_PORT_FILE = '/proc/sys/net/ipv4/ip_unprivileged_port_start';
const UNPRIVILEGED_PORT_DEFAULT = 1_024;
const LOOPBACK_HOST = /^(localhost|::1|127\..*)$/;

const error = (where: string, what: string): Finding => ({ level: 'error', where, what });
const warning = (where: string, what: string): Finding => ({ level: 'warning', where, what });

/** What `attempt` throws for people, as an error. */
function tried(where: string, attempt: () => void): readonly Finding[] {
  try {
    attempt();
    return [];
  } catch (thrown) {
    if (!isExpectedError(thrown)) throw thrown;
    return [error(where, thrown.message)];
  }
}

const checkName: Check = ({ server }) =>
  server.name.split(':')[0] === 'localhost'
    ? [
        warning(
          'server.name',
          `"${server.name}" is good for trying things out: no other server can find it, and it can never be changed`,
        ),
      ]
    : [];

/** The lowest port on which this process may listen. */
export function lowestPort(): number {
  if (process.geteuid?.() === 0) return 0;
  return existsSync(UNPRIVILEGED_PORT_FILE)
    ? Number(readFileSync(UNPRIVILEGED_PORT_FILE, 'utf8'))
    : UNPRIVILEGED_PORT_DEFAULT;
}

function listenersOf({
  server,
  federation,
  inspector,
}: Config): readonly (readonly [option: string, ListenAddress])[] {
  return [
    ['server.listen', server.listen],
    ['inspector.listen', inspector.listen],
    ...(federation.listen === null ? [] : [['federation.listen', federation.listen] as const]),
  ];
}

function checkPorts(config: Config, lowest: number): readonly Finding[] {
  const listeners = listenersOf(config);
  const privileged = listeners
    .filter(([, { port }]) => port !== 0 && port < lowest)
    .map(([option, { port }]) =>
      warning(
        option,
        `port ${port} is below ${lowest}: only root and programs with the capability CAP_NET_BIND_SERVICE may listen there`,
      ),
    );
  const shared = listeners.flatMap(([option, { host, port }], index) =>
    listeners
      .slice(0, index)
      .filter(([, other]) => port !== 0 && other.port === port && other.host === host)
      .map(([other]) => error(option, `${host}:${port} is taken by ${other} already`)),
  );
  return [...privileged, ...shared];
}

const checkInspector: Check = ({ inspector }) =>
  LOOPBACK_HOST.test(inspector.listen.host)
    ? []
    : [
        warning(
          'inspector.listen',
          `whoever reaches ${inspector.listen.host} may look into the server and delete rooms, without a password: keep it on 127.0.0.1`,
        ),
      ];

const checkTls: Check = ({ federation }) => {
  const { listen, tlsCertificate: certificate, tlsKey: key, caFile } = federation;
  const authorities = tried('federation', () => void readAuthorities(caFile));
  if (listen !== null)
    return [...authorities, ...tried('federation', () => void readCertificate({ certificate, key }))];
  if (certificate === '' && key === '') return authorities;
  const idle = warning('federation.tls_certificate', 'it is not used: federation.listen is empty');
  return [...authorities, idle];
};

/** The nearest folder above that is there. */
function existingAbove(folder: string): string {
  return existsSync(folder) ? folder : existingAbove(dirname(folder));
}

const checkData: Check = ({ data }) => {
  const folder = resolve(data.path);
  const nearest = existingAbove(folder);
  if (!statSync(nearest).isDirectory()) return [error('data.path', `${nearest} is not a folder`)];
  try {
    accessSync(nearest, constants.R_OK | constants.W_OK | constants.X_OK);
    return [];
  } catch {
    // Whoever looks may not be whom the server runs as.
    return [warning('data.path', `you may not write to ${nearest}: the user whom the server runs as has to`)];
  }
};

const checkAppservices: Check = ({ appservices }) =>
  appservices.path === '' || existsSync(appservices.path)
    ? []
    : [warning('appservices.path', `there is no folder ${appservices.path}`)];

const checkRegistration: Check = ({ registration }) =>
  registration.open
    ? [
        warning(
          'registration.open',
          'anybody who reaches this server can make accounts, programs that send spam too',
        ),
      ]
    : [];

const checkPlacement: Check = (config) => tried('actors', () => void supervisionTree(config));

/**
 * Says what will not work, and what is probably not meant, of options that are right by themselves.
 *
 * @param lowest the lowest port that is free for all, as {@link lowestPort} gives it
 */
export function checkConfig(config: Config, lowest: number): readonly Finding[] {
  const checks = [checkInspector, checkTls, checkData, checkRegistration, checkAppservices, checkPlacement];
  return [...checkName(config), ...checkPorts(config, lowest), ...checks.flatMap((check) => check(config))];
}

/** Others may read a file that holds secrets: its mode says so. */
export function checkSecrecy(file: string, config: Config): readonly Finding[] {
  const { sharedSecret } = config.registration;
  const { turnSharedSecret, turnPassword } = config.voip;
  const hasSecrets = [sharedSecret, turnSharedSecret, turnPassword].some((secret) => secret !== '');
  if (!hasSecrets || (statSync(file).mode & 0o004) === 0) return [];
  return [warning(file, `it holds secrets, and everybody on this machine can read it: chmod o-r ${file}`)];
}
