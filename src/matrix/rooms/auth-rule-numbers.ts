import { KNOWN_ROOM_VERSIONS } from './room-versions.ts';
import type { RoomVersion } from './room-versions.ts';

/**
 * The numbers of the authorisation rules, as each room version's page counts them: a rule that a version does not have moves the
 * numbers of those behind it.
 */
export interface RuleNumbers {
  readonly create: Numbers<'prevEvents' | 'room' | 'version' | 'creators'>;
  readonly top: Numbers<TopRule>;
  readonly authEvents: Numbers<'duplicate' | 'unneeded' | 'rejected' | 'create' | 'room'>;
  readonly aliases: Numbers<'stateKey' | 'domain'>;
  readonly member: Numbers<MemberRule>;
  readonly join: Numbers<'first' | 'self' | 'banned' | 'invited' | 'restricted' | 'public' | 'otherwise'>;
  readonly powerLevels: Numbers<PowerLevelsRule>;
}

type Numbers<Name extends string> = Readonly<Record<Name, string>>;

type TopRule =
  | 'create'
  | 'room'
  | 'authEvents'
  | 'federate'
  | 'aliases'
  | 'member'
  | 'senderJoined'
  | 'thirdPartyInvite'
  | 'requiredLevel'
  | 'userStateKey'
  | 'powerLevels'
  | 'redaction';

type MemberRule = 'shape' | 'via' | 'join' | 'invite' | 'leave' | 'ban' | 'knock' | 'unknown';

type PowerLevelsRule =
  | 'scalars'
  | 'maps'
  | 'users'
  | 'creators'
  | 'previous'
  | 'changedScalars'
  | 'oldEntries'
  | 'newEntries'
  | 'oldUsers'
  | 'newUsers';

/** Counts the rules that exist; a rule that the version does not have is `false` and gets no number. */
function count<Name extends string>(prefix: string, names: readonly (Name | false)[]): Numbers<Name> {
  const present = names.filter((name) => name !== false);
  return Object.fromEntries(present.map((name, index) => [name, `${prefix}${index + 1}`])) as Numbers<Name>;
}

function numbersOf(version: RoomVersion): RuleNumbers {
  const top = count<TopRule>('', [
    'create',
    !version.createInAuthEvents && 'room',
    'authEvents',
    'federate',
    version.aliasesAuthRule && 'aliases',
    'member',
    'senderJoined',
    'thirdPartyInvite',
    'requiredLevel',
    'userStateKey',
    'powerLevels',
    version.redactionAuthRule && 'redaction',
  ]);
  const member = count<MemberRule>(`${top.member}.`, [
    'shape',
    version.restricted && 'via',
    'join',
    'invite',
    'leave',
    'ban',
    version.knock && 'knock',
    'unknown',
  ]);
  return {
    top,
    member,
    create: count('1.', ['prevEvents', 'room', 'version', 'creators']),
    authEvents: count(`${top.authEvents}.`, [
      'duplicate',
      'unneeded',
      'rejected',
      version.createInAuthEvents && 'create',
      'room',
    ]),
    aliases: count(`${top.aliases}.`, ['stateKey', 'domain']),
    join: count(`${member.join}.`, [
      'first',
      'self',
      'banned',
      'invited',
      version.restricted && 'restricted',
      'public',
      'otherwise',
    ]),
    powerLevels: count<PowerLevelsRule>(`${top.powerLevels}.`, [
      version.integerPowerLevels && 'scalars',
      version.integerPowerLevels && 'maps',
      'users',
      version.creatorsArePrivileged && 'creators',
      'previous',
      'changedScalars',
      'oldEntries',
      'newEntries',
      'oldUsers',
      'newUsers',
    ]),
  };
}

const NUMBERS: ReadonlyMap<RoomVersion, RuleNumbers> = new Map(
  KNOWN_ROOM_VERSIONS.map((version) => [version, numbersOf(version)]),
);

/** The rule numbers of a room version. */
export function ruleNumbers(version: RoomVersion): RuleNumbers {
  const numbers = NUMBERS.get(version);
  if (numbers === undefined) throw new Error(`not one of the room versions: ${version.id}`);
  return numbers;
}
