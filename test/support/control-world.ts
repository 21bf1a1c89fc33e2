import { join } from 'node:path';
import { request } from 'node:http';
import type { Json, JsonObject } from '../../src/kit/json.ts';

/** What a server answers on its control socket. */
export interface ControlAnswer {
  readonly status: number;
  readonly body: JsonObject;
}

/**
 * Asks a server over the socket in its data folder, as any program could.
 *
 * @param path below `/_troupe/control/v1`, encoded
 */
export function askControl(
  folder: string,
  method: string,
  path: string,
  body?: Json,
): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const target = {
      socketPath: join(folder, 'control.sock'),
      method,
      path: `/_troupe/control/v1${path}`,
      agent: false as const,
      headers: { 'Content-Type': 'application/json' },
    };
    const sent = request(target, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as JsonObject }),
      );
    });
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
