import { request } from 'node:http';
import { CONTROL_PREFIX, CONTROL_SOCKET } from '../control/control-socket.ts';
import { isJsonObject, type JsonObject } from '../kit/json.ts';
import { openSocketAddress } from '../kit/socket-address.ts';
import { CommandFailed } from './command.ts';

/** How long an answer is waited for, in milliseconds: longer than the server itself waits for its parts. */
const ANSWER_DEADLINE_MS = 60_000;
/** The largest answer that is read, in bytes: a page of users has some hundred thousand. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Nobody takes commands on the socket: there is none, or it was left by a server that was killed. */
export class NobodyListens extends Error {
  constructor() {
    super('no server takes commands there');
    this.name = 'NobodyListens';
  }
}

/** What asks a server to do something. */
export interface ControlClient {
  /**
   * Asks, and gives the body of the answer.
   *
   * @param path below `/_troupe/control/v1`, encoded
   * @throws CommandFailed when the server refuses, or does not answer; NobodyListens
   */
  ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: JsonObject): Promise<JsonObject>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function send(
  socketPath: string,
  method: string,
  path: string,
  body: JsonObject | undefined,
): Promise<Answer> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const url = {
      socketPath,
      method,
      path: `${CONTROL_PREFIX}${path}`,
      headers,
      agent: false as const,
      timeout: ANSWER_DEADLINE_MS,
    };
    const sent = request(url, (response) => {
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        sizeBytes += chunk.length;
        if (sizeBytes > ANSWER_BYTES_MAX)
          sent.destroy(new CommandFailed('the server gives too long an answer'));
      });
      response.once('error', reject);
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    sent.once('timeout', () => {
      const seconds = ANSWER_DEADLINE_MS / 1_000;
      sent.destroy(new CommandFailed(`the server did not answer within ${seconds} seconds: see its log`));
    });
    sent.once('error', reject);
    sent.end(text);
  });
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What the system says of a socket, for people. */
function explain(error: NodeJS.ErrnoException, folder: string): Error {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return new NobodyListens();
  if (error.code === 'EACCES')
    return new CommandFailed(
      `you may not open ${CONTROL_SOCKET} in ${folder}: run this as the user whom the server runs as`,
    );
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    return new CommandFailed(
      'the server ended before it answered: see its log, and whether it was done, then ask again',
    );
  return error;
}

/**
 * A text of an answer.
 *
 * @throws CommandFailed when there is none: the server is of another version
 */
export function textOf(answer: JsonObject, field: string): string {
  const value = answer[field];
  if (typeof value === 'string') return value;
  throw new CommandFailed(`the server's answer has no ${field}: is it of another version than this command?`);
}

/**
 * Makes a client of the server that uses a data folder. Nothing is asked yet.
 *
 * @param folder the data folder
 */
export function createControlClient(folder: string): ControlClient {
  return {
    async ask(method, path, body) {
      const address = openSocketAddress(folder, CONTROL_SOCKET, process.platform);
      try {
        const { status, text } = await send(address.path, method, path, body);
        const answer = parse(text);
        if (answer === undefined)
          throw new CommandFailed(`the server answers with ${status} and no JSON: see its log`);
        if (status === 200) return answer;
        const { error } = answer;
        throw new CommandFailed(typeof error === 'string' ? error : `the server answers with ${status}`);
      } catch (error) {
        throw explain(error as NodeJS.ErrnoException, folder);
      } finally {
        address.close();
      }
    },
  };
}
