import { hash } from 'node:crypto';
import { expect } from 'chai';
import type { HttpAnswer } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const REGISTER = '/_matrix/client/v3/register';
const WISH = { username: 'alice', password: 'correct horse' };
const pageOf = (stage: string): string => `/_matrix/client/v3/auth/${stage}/fallback/web`;

/** What a browser would let run of a page: the sources of its policy that are hashes of what stands in it. */
function expectStrictPolicy({ headers, text }: HttpAnswer): void {
  const policy = String(headers['content-security-policy']);
  expect(policy).to.include("default-src 'none'").and.include("frame-ancestors 'none'");
  expect(policy).to.include("form-action 'none'").and.include("base-uri 'none'").and.not.include('unsafe');
  for (const tag of ['script', 'style']) {
    const contents = [...text.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))];
    expect(contents, tag).to.have.length(1);
    expect(policy).to.include(`${tag}-src 'sha256-${hash('sha256', contents[0]?.[1] ?? '', 'base64')}'`);
  }
  expect(text).to.not.match(/\son[a-z]+=|javascript:/i);
  expect(headers['content-type']).to.equal('text/html; charset=utf-8');
  expect(headers).to.include({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  });
}

describe('fallback pages', () => {
  let app: AccountApp;

  afterEach(() => app.close());

  const start = async (environment: Record<string, string> = {}): Promise<void> => {
    app = await startAccountApp(environment);
  };
  const TERMS = {
    TROUPE_REGISTRATION_TERMS_URL: 'https://example.org/terms?a=1&b="><script>alert(1)</script>',
    TROUPE_REGISTRATION_TERMS_NAME: 'Terms & <b>Conditions</b>',
  };

  it('run nothing but what stands in them, and hold nothing of the request', async () => {
    await start({
      ...TERMS,
      TROUPE_REGISTRATION_TERMS_URL: 'https://example.org/?"><script>alert(1)</script>',
    });
    const evil = '"><script>alert(1)</script>';
    const stages = ['m.login.dummy', 'm.login.registration_token', 'm.login.terms'];
    for (const path of [...stages.map(pageOf), '/_matrix/static/client/login/']) {
      const answer = await app.client.get(path, { query: { session: evil, device_id: evil } });
      expect(answer.status, path).to.equal(200);
      expectStrictPolicy(answer);
      expect(answer.text).to.not.include('alert(1)</script>');
    }
    const terms = await app.client.get(pageOf('m.login.terms'));
    expect(
      terms.text.split('Terms &amp; &lt;b&gt;Conditions&lt;/b&gt;'),
      'title, heading and link',
    ).to.have.length(4);
    expect(terms.text).to.not.include('<b>');
  });

  it('are there for stages that have one', async () => {
    await start();
    for (const stage of ['m.login.password', 'm.login.terms', 'toString', 'x'])
      expect(outcomeOf(await app.client.get(pageOf(stage))), stage).to.equal('404 M_NOT_FOUND');
    const post = await app.client.post(pageOf('m.login.terms'), { session: 'x' });
    expect(outcomeOf(post)).to.equal('404 M_NOT_FOUND');
  });

  it('complete stages of the session, which the client then goes on with', async () => {
    await start({ TROUPE_REGISTRATION_TERMS_URL: 'https://example.org/terms' });
    const asked = await app.client.post(REGISTER, WISH);
    expect(fieldsOf(asked)).to.deep.include({
      flows: [{ stages: ['m.login.terms', 'm.login.dummy'] }],
      params: {
        'm.login.terms': {
          policies: {
            terms: { version: '1', en: { name: 'Terms of Service', url: 'https://example.org/terms' } },
          },
        },
      },
    });
    const session = textOf(asked, 'session');
    expect((await app.client.post(pageOf('m.login.terms'), { session })).body).to.deep.equal({});
    const half = await app.client.post(REGISTER, { ...WISH, auth: { session } });
    expect(fieldsOf(half)['completed']).to.deep.equal(['m.login.terms']);
    expect((await app.client.post(pageOf('m.login.dummy'), { session })).status).to.equal(200);
    const done = await app.client.post(REGISTER, { ...WISH, auth: { session } });
    expect(textOf(done, 'user_id')).to.equal('@alice:example.org');
  });

  it('check registration tokens', async () => {
    await start({ TROUPE_REGISTRATION_OPEN: 'false' });
    const first = await app.world.accounts.ask('accounts.first-token', null);
    const token = first !== null && 'token' in first ? first.token : '';
    const session = textOf(await app.client.post(REGISTER, WISH), 'session');
    const page = pageOf('m.login.registration_token');
    expect(outcomeOf(await app.client.post(page, { session, token: 'wrong' }))).to.equal('403 M_FORBIDDEN');
    expect(outcomeOf(await app.client.post(page, { session }))).to.equal('400 M_MISSING_PARAM');
    expect(outcomeOf(await app.client.post(page, { session: 'other', token }))).to.equal('403 M_FORBIDDEN');
    const dummy = await app.client.post(pageOf('m.login.dummy'), { session });
    expect(outcomeOf(dummy), 'a stage that is not asked for').to.equal('403 M_FORBIDDEN');
    expect((await app.client.post(page, { session, token })).status).to.equal(200);
    const done = await app.client.post(REGISTER, { ...WISH, auth: { session } });
    expect(textOf(done, 'user_id')).to.equal('@alice:example.org');
    expect((await app.client.post(REGISTER, { ...WISH, username: 'b', auth: { session } })).status).to.equal(
      403,
    );
  });
});
