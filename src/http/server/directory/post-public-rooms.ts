import {
  PUBLIC_ROOMS_BODY,
  PUBLIC_ROOMS_REPLY,
  readFilteredRooms,
} from '../../client/directory/public-rooms-body.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { DIRECTORY_CLOSED } from './directory-closed.ts';

/** The rooms of this server's public directory that a filter lets through. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/federation/v1/publicRooms',
  spec: 'Server-Server API v1.19, POST /_matrix/federation/v1/publicRooms',
  auth: 'server',
  rateLimit: null,
  body: PUBLIC_ROOMS_BODY,
  reply: PUBLIC_ROOMS_REPLY,
  needs: ['cached', 'config'],
  handle: ({ body, services }) =>
    services.config.rooms.directoryForEverybody
      ? readFilteredRooms(services, body)
      : Promise.resolve(DIRECTORY_CLOSED),
});
