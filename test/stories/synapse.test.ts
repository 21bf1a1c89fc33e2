import { type Meeting, startMeeting } from '../support/synapse/meeting.ts';
import { describeDevices } from './synapse/devices.ts';
import { describeDirectory } from './synapse/directory.ts';
import { describeEncryption } from './synapse/encryption.ts';
import { describeFasterJoins } from './synapse/faster-joins.ts';
import { describeKnockRestricted } from './synapse/knock-restricted.ts';
import { describeMemberships } from './synapse/memberships.ts';
import { describeMessages } from './synapse/messages.ts';
import { describeOutages } from './synapse/outages.ts';
import { describePartition } from './synapse/partition.ts';
import { describePresence } from './synapse/presence.ts';
import { describeRooms } from './synapse/rooms.ts';
import { describeRules } from './synapse/rules.ts';

const STORY_TIMEOUT_MS = 30_000;
/** The first run installs Synapse. */
const START_TIMEOUT_MS = 8 * 60_000;

describe('a Synapse and a Troupe', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let meeting: Meeting | undefined;

  before(async function () {
    this.timeout(START_TIMEOUT_MS);
    const started = await startMeeting();
    if ('missing' in started) {
      process.stdout.write(`note: no Synapse to meet: ${started.missing}\n`);
      this.skip();
    }
    meeting = started;
  });
  // What both logged while a test failed says why.
  let logged = { synapse: 0, troupe: 0 };
  beforeEach(() => {
    const { synapse, troupe } = getMeeting();
    logged = { synapse: synapse.log().length, troupe: troupe.output().length };
  });
  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    const { synapse, troupe } = getMeeting();
    process.stderr.write(`Synapse logged:\n${synapse.log().slice(logged.synapse)}\n`);
    process.stderr.write(`Troupe logged:\n${troupe.output().slice(logged.troupe)}\n`);
  });
  after(() => meeting?.dispose());

  const getMeeting = (): Meeting => {
    if (meeting === undefined) throw new Error('the meeting has not begun');
    return meeting;
  };
  describeRooms(getMeeting);
  describeFasterJoins(getMeeting);
  describeMemberships(getMeeting);
  describeKnockRestricted(getMeeting);
  describeMessages(getMeeting);
  describePresence(getMeeting);
  describeDirectory(getMeeting);
  describeDevices(getMeeting);
  describeEncryption(getMeeting);
  describePartition(getMeeting);
  describeOutages(getMeeting);
  describeRules(getMeeting);
});
