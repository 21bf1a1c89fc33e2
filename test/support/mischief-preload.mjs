// Loaded into every thread of a server under test (`--import`), so that a test can block or crash threads of the real program without
// the program knowing of it. The process is told over its IPC channel; its threads over a broadcast channel.
import { BroadcastChannel, isMainThread, threadName, workerData } from 'node:worker_threads';

const channel = new BroadcastChannel('mischief');

function serveThread() {
  channel.addEventListener('message', ({ data: { kind, thread, flag } }) => {
    if (thread !== null && thread !== threadName) return;
    if (kind === 'crash') {
      // Outside of any handler: no actor is to blame, the thread dies.
      setImmediate(() => {
        throw new Error('crashed by the test');
      });
    } else {
      // Really blocked: the event loop stands until the flag is down.
      Atomics.wait(new Int32Array(flag), 0, 1);
    }
  });
}

function serveProcess() {
  // One for all: who is told to block while it is up blocks until it is down.
  const flag = new SharedArrayBuffer(4);
  process.on('message', ({ kind, thread }) => {
    if (kind === 'unblock') {
      Atomics.store(new Int32Array(flag), 0, 0);
      Atomics.notify(new Int32Array(flag), 0);
      return;
    }
    Atomics.store(new Int32Array(flag), 0, 1);
    channel.postMessage({ kind, thread, flag });
  });
  process.channel?.unref();
}

// A pool's own workers are no threads of the tree.
if (isMainThread) serveProcess();
else if (workerData?.boot !== undefined) serveThread();
channel.unref();
