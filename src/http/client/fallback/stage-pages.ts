import type { Config } from '../../../config/config.ts';
import { escapeHtml, type Page } from './page.ts';

/** Reads the session from the page's own address, sends what was filled in, and tells whoever opened the page that it is done. */
const SCRIPT = `
const form = document.querySelector('form');
const said = document.getElementById('said');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const session = new URLSearchParams(location.search).get('session') || '';
  const body = { session };
  for (const input of form.querySelectorAll('input[type=text]')) body[input.name] = input.value;
  try {
    const answer = await fetch(location.pathname, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) {
      said.textContent = (await answer.json()).error || 'That did not work.';
      return;
    }
  } catch {
    said.textContent = 'The server cannot be reached.';
    return;
  }
  form.remove();
  said.textContent = 'Thank you. You can close this page and go back to your application.';
  if (window.onAuthDone) window.onAuthDone();
  else if (window.opener && window.opener.postMessage) window.opener.postMessage('authDone', '*');
});
`;

function form(fields: string, action: string): string {
  return `<form>${fields}<button type="submit">${action}</button></form>`;
}

const NEEDS_SCRIPT = '<noscript><p>This page needs JavaScript.</p></noscript>';

const PAGES: Readonly<Record<string, (config: Config) => Page>> = {
  'm.login.dummy': () => ({
    title: 'Go on',
    body: `<h1>Go on</h1>${NEEDS_SCRIPT}${form('', 'Go on')}`,
    script: SCRIPT,
  }),
  'm.login.registration_token': () => ({
    title: 'Registration token',
    body: `<h1>Registration token</h1>${NEEDS_SCRIPT}${form(
      '<label for="token">The token that you were given</label>' +
        '<input id="token" name="token" type="text" autocomplete="off" maxlength="64" required>',
      'Go on',
    )}`,
    script: SCRIPT,
  }),
  'm.login.terms': ({ registration }) => {
    const { name, url } = registration.terms;
    const link = `<a href="${escapeHtml(url)}" target="_blank" rel="noopener noreferrer">${escapeHtml(name)}</a>`;
    return {
      title: name,
      body: `<h1>${escapeHtml(name)}</h1>${NEEDS_SCRIPT}${form(
        `<label><input type="checkbox" required>I have read and agree to: ${link}</label>`,
        'Agree',
      )}`,
      script: SCRIPT,
    };
  },
};

/** The page on which a stage of user-interactive authentication is completed; undefined for stages without one. */
export function findStagePage(stage: string, config: Config): Page | undefined {
  if (stage === 'm.login.terms' && config.registration.terms.url === '') return undefined;
  return Object.hasOwn(PAGES, stage) ? PAGES[stage]?.(config) : undefined;
}
