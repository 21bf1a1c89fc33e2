import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { pageReply } from './page.ts';

const SCRIPT = `
const form = document.querySelector('form');
const said = document.getElementById('said');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const client = window.matrixLogin;
  if (!client || !client.onLogin) {
    said.textContent = 'Open this page from your application: here it would not learn that you have logged in.';
    return;
  }
  const given = new URLSearchParams(location.search);
  const body = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: form.elements.user.value },
    password: form.elements.password.value,
  };
  for (const name of ['device_id', 'initial_device_display_name'])
    if (given.get(name)) body[name] = given.get(name);
  try {
    const answer = await fetch('/_matrix/client/v3/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    const login = await answer.json();
    if (answer.ok) client.onLogin(login);
    else said.textContent = login.error || 'That did not work.';
  } catch {
    said.textContent = 'The server cannot be reached.';
  }
});
`;

const FIELDS =
  '<label for="user">User name</label><input id="user" name="user" type="text" autocomplete="username" required>' +
  '<label for="password">Password</label>' +
  '<input id="password" name="password" type="password" autocomplete="current-password" required>';

/** A page to log in on, for clients that know no login type of this server. It hands the answer to the client that has opened it. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/static/client/login/',
  spec: 'Client-Server API v1.19, "Login Fallback"',
  auth: 'none',
  rateLimit: null,
  reply: Type.Unknown(),
  needs: [],
  handle: () =>
    Promise.resolve(
      pageReply({
        title: 'Log in',
        body: `<h1>Log in</h1><noscript><p>This page needs JavaScript.</p></noscript><form>${FIELDS}<button type="submit">Log in</button></form>`,
        script: SCRIPT,
      }),
    ),
});
