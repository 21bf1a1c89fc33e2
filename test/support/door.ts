import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What stands between two servers: a port of 127.0.0.1 that hands everything on, until it is cut. A server can be named after it before it runs
 * itself, wherever it listens then.
 */
export interface Door {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Where it leads; until then whoever comes is sent away. */
  leadTo(port: number): void;
  /** Everything that is under way breaks off, and nobody gets through any more. */
  cut(): void;
  /** It leads where it led. */
  mend(): void;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Opens a door that leads nowhere yet. */
export async function openDoor(): Promise<Door> {
  const sockets = new Set<Socket>();
  let behind: number | null = null;
  let isCut = false;
  const breakOff = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const keep = (socket: Socket, other: () => Socket | null): void => {
    sockets.add(socket);
    // Whatever breaks one half breaks the other; why is not the door's business.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      other()?.destroy();
    });
  };
  const server = createServer((incoming) => {
    let outgoing: Socket | null = null;
    keep(incoming, () => outgoing);
    if (behind === null || isCut) {
      incoming.destroy();
      return;
    }
    outgoing = connect(behind, HOST);
    keep(outgoing, () => incoming);
    incoming.pipe(outgoing).pipe(incoming);
  });
  const port = await listen(server);
  return {
    port,
    address: `${HOST}:${port}`,
    leadTo: (target) => void (behind = target),
    cut() {
      isCut = true;
      breakOff();
    },
    mend: () => void (isCut = false),
    close() {
      breakOff();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
