import type { MessagePort } from 'node:worker_threads';
import type { Batch, Link } from './link.ts';

/** The link between two worker threads: one end of a MessageChannel. An open link does not keep its thread alive. */
export function createMessagePortLink(port: MessagePort): Link {
  return {
    post: (batch) => port.postMessage(batch),
    open(receive, closed) {
      port.on('message', (batch: Batch) => receive(batch));
      port.once('close', closed);
      port.unref();
    },
    close: () => port.close(),
  };
}
