import { hash } from 'node:crypto';
import { type Reply, reply } from '../../kit/endpoint.ts';

/** A page for browsers: nothing of a request goes into it, so that nobody else's script or style ever does. */
export interface Page {
  readonly title: string;
  /** HTML; texts from the configuration have gone through {@link escapeHtml}. */
  readonly body: string;
  /** The only script that runs on it. */
  readonly script: string;
}

const STYLE = `
body { font: 16px/1.5 sans-serif; max-width: 28em; margin: 3em auto; padding: 0 1em; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { margin: .3em 0 1em; padding: .5em; }
input[type=checkbox] { display: inline; width: auto; margin-right: .5em; }
`;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Makes a text fit to stand in HTML, in attributes as well. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

function sourceOf(text: string): string {
  return `'sha256-${hash('sha256', text, 'base64')}'`;
}

/**
 * The answer that is a page. Its content security policy lets run what stands in it and nothing else, talks to this server only, and lets
 * no other page embed it; it is never cached, and no address of it is passed on.
 */
export function pageReply({ title, body, script }: Page): Reply<Uint8Array> {
  const html = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main>${body}</main><p id="said" role="status"></p><script>${script}</script></body></html>
`;
  const policy = [
    "default-src 'none'",
    `script-src ${sourceOf(script)}`,
    `style-src ${sourceOf(STYLE)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return reply(200, Buffer.from(html), {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy.join('; '),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
  });
}
