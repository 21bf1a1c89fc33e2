import { expect } from 'chai';
import type { Json } from '../../src/kit/json.ts';
import { getSpecAnswers } from '../support/spec-answers.ts';

const SYNC = '/_matrix/client/v3/sync';
const MEDIA = '/_matrix/client/v1/media/download/example.org/file';
const STATE = '/_matrix/client/v3/rooms/!a/state/m.room.name';

/** What is wrong with an answer; nothing where the specification's documents are not there. */
function problems(
  method: string,
  path: string,
  status: number,
  body: Json,
  contentType = 'application/json',
): readonly string[] {
  return getSpecAnswers().problems(method, path, { status, contentType, body });
}

describe('what tests hold against answers', () => {
  const answers = getSpecAnswers();
  const isThere = answers.operations > 0;
  const error = { errcode: 'M_FORBIDDEN', error: 'No.' };

  /** Whether the answer is found to be wrong, where there is something to hold against it. */
  const isWrong = (found: readonly string[]): void => {
    expect(found.length > 0).to.equal(isThere);
  };

  it('knows all operations of both APIs', () => {
    if (isThere) expect(answers.operations).to.be.greaterThan(195);
  });

  it('is the body that the status has', () => {
    expect(problems('GET', SYNC, 200, { next_batch: 's1' })).to.deep.equal([]);
    isWrong(problems('GET', SYNC, 200, { next_batch: 1 }));
    isWrong(problems('GET', SYNC, 200, {}));
  });

  it('is a status that is documented, and an operation', () => {
    isWrong(problems('GET', SYNC, 202, { next_batch: 's1' }));
    isWrong(problems('POST', SYNC, 200, { next_batch: 's1' }));
    isWrong(problems('GET', '/_matrix/client/v3/synchronise', 200, {}));
    expect(problems('GET', '/_matrix/client/unstable/org.example/thing', 200, {})).to.deep.equal([]);
  });

  it('is an errcode and an error, as JSON, whatever the path', () => {
    for (const path of [SYNC, '/_matrix/client/v3/unknown', '/_synapse/admin/v1/x', '/health', MEDIA]) {
      expect(problems('GET', path, 403, error), path).to.deep.equal([]);
      isWrong(problems('GET', path, 403, { error: 'No.' }));
      isWrong(problems('GET', path, 403, null, 'text/plain'));
    }
    isWrong(problems('POST', '/_matrix/client/v3/account/password', 401, { session: 'x' }));
    const stages = { session: 'x', flows: [{ stages: ['m.login.password'] }], params: {} };
    expect(problems('POST', '/_matrix/client/v3/account/password', 401, stages)).to.deep.equal([]);
  });

  it('is JSON where the specification has that', () => {
    isWrong(problems('GET', SYNC, 200, null, 'text/html'));
    expect(problems('GET', MEDIA, 200, null, 'image/png')).to.deep.equal([]);
    expect(problems('GET', MEDIA, 206, null, 'image/png'), 'a part of a file').to.deep.equal([]);
    isWrong(problems('GET', '/_matrix/client/v1/media/thumbnail/example.org/x', 200, null, 'text/html'));
  });

  it('is the same at older and unstable paths', () => {
    for (const path of [
      '/_matrix/client/r0/sync',
      '/_matrix/client/unstable/keys/signatures/upload',
      '/_matrix/client/unstable/im.nheko.summary/rooms/!a/summary',
      '/_matrix/client/unstable/im.nheko.summary/summary/!a',
      '/_matrix/client/unstable/org.matrix.msc3856/rooms/!a/threads',
      '/_matrix/client/unstable/uk.tcpip.msc4133/profile/@a:b/displayname',
      '/_matrix/media/r0/config',
      '/_matrix/client/v3/pushrules',
    ])
      isWrong(problems(path.endsWith('upload') ? 'POST' : 'GET', path, 200, null));
  });

  it('lets a whole event be an answer where a content is one', () => {
    const event = { type: 'm.room.name', content: {}, event_id: '$e', sender: '@a:b', origin_server_ts: 1 };
    expect(problems('GET', STATE, 200, { name: 'x' })).to.deep.equal([]);
    expect(problems('GET', `${STATE}/`, 200, { ...event, room_id: '!a', unsigned: {} })).to.deep.equal([]);
    isWrong(problems('GET', STATE, 200, []));
  });
});
