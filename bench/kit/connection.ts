import { connect, type Socket } from 'node:net';

/** An answer as the load generator needs it. */
export interface BenchReply {
  readonly status: number;
  readonly body: string;
  /** From the first byte written to the last byte read, in milliseconds. */
  readonly tookMs: number;
}

interface Waiting {
  readonly startedAt: number;
  readonly resolve: (reply: BenchReply) => void;
  readonly reject: (error: Error) => void;
}

const HEAD_END = '\r\n\r\n';
/** An answer that takes longer never comes: better a message than a benchmark that hangs. */
const ANSWER_WAIT_MS = 60_000;

/**
 * One keep-alive connection with one request at a time: a client that costs so little that the server is what gets measured.
 * It understands answers with a Content-Length, which is all that a benchmark meets.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #host: string;
  #received: Buffer = Buffer.alloc(0);
  #waiting: Waiting | null = null;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('timeout', () => this.#fail(new Error(`no answer within ${ANSWER_WAIT_MS} ms`)));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  static open(port: number, host = '127.0.0.1'): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host, () => {
        socket.off('error', reject);
        resolve(new Connection(socket, `${host}:${port}`));
      });
      socket.once('error', reject);
    });
  }

  /**
   * Sends one request and waits for its answer.
   *
   * @param body JSON text; absent for none
   */
  request(method: string, path: string, token: string | null, body?: string): Promise<BenchReply> {
    return this.send(method, path, token === null ? null : `Bearer ${token}`, body);
  }

  /** The same with a whole `Authorization` header, such as a server signs. */
  send(method: string, path: string, authorization: string | null, body?: string): Promise<BenchReply> {
    if (this.#waiting !== null) throw new Error('a connection takes one request at a time');
    const lines = [`${method} ${path} HTTP/1.1`, `Host: ${this.#host}`];
    if (authorization !== null) lines.push(`Authorization: ${authorization}`);
    if (body !== undefined) {
      lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { startedAt: performance.now(), resolve, reject };
      this.#socket.setTimeout(ANSWER_WAIT_MS);
      this.#socket.write(`${lines.join('\r\n')}${HEAD_END}${body ?? ''}`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headLength = this.#received.indexOf(HEAD_END);
    if (headLength < 0) return;
    const head = this.#received.toString('latin1', 0, headLength);
    const match = /\r\ncontent-length: *(\d+)/i.exec(head);
    const bodyStart = headLength + HEAD_END.length;
    const total = bodyStart + Number(match?.[1] ?? 0);
    if (this.#received.length < total) return;
    const body = this.#received.toString('utf8', bodyStart, total);
    this.#received = this.#received.subarray(total);
    const waiting = this.#waiting;
    this.#waiting = null;
    const tookMs = performance.now() - (waiting?.startedAt ?? 0);
    waiting?.resolve({ status: Number(head.slice(9, 12)), body, tookMs });
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(error);
  }
}
