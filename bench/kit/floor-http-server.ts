// The floor of everything that speaks HTTP: a bare node:http server that reads the body and answers a small JSON.
import { createServer } from 'node:http';

const ANSWER = JSON.stringify({ event_id: '$0123456789012345678901234567890123456789012' });

const server = createServer((request, response) => {
  request.on('data', () => undefined);
  request.on('end', () => {
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(ANSWER),
    });
    response.end(ANSWER);
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`);
});
process.once('SIGTERM', () => process.exit(0));
