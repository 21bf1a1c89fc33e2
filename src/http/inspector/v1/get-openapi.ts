import { Type } from 'typebox';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { openApiDocument } from '../openapi-document.ts';
import { endpoint as addSigningKey } from './add-signing-key.ts';
import { endpoint as deleteRoom } from './delete-room.ts';
import { endpoint as getActors } from './get-actors.ts';
import { endpoint as getCaches } from './get-caches.ts';
import { endpoint as getConfig } from './get-config.ts';
import { endpoint as getDelayedEvents } from './get-delayed-events.ts';
import { endpoint as getDestinations } from './get-destinations.ts';
import { endpoint as getLimits } from './get-limits.ts';
import { endpoint as getLogLevel } from './get-log-level.ts';
import { endpoint as getReadiness } from './get-readiness.ts';
import { endpoint as getPartialRooms } from './get-partial-rooms.ts';
import { endpoint as getReports } from './get-reports.ts';
import { endpoint as getRoom } from './get-room.ts';
import { endpoint as getStateDiff } from './get-state-diff.ts';
import { endpoint as getStateWhy } from './get-state-why.ts';
import { endpoint as getStreams } from './get-streams.ts';
import { endpoint as getThreads } from './get-threads.ts';
import { endpoint as purgeRoom } from './purge-room.ts';
import { endpoint as putLogLevel } from './put-log-level.ts';
import { endpoint as reloadConfig } from './reload-config.ts';
import { endpoint as restartActor } from './restart-actor.ts';
import { endpoint as retryDestination } from './retry-destination.ts';
import { endpoint as retryPartialRoom } from './retry-partial-room.ts';

const DOCUMENT = openApiDocument([
  getActors,
  restartActor,
  getStreams,
  getCaches,
  getDelayedEvents,
  getThreads,
  getLimits,
  getPartialRooms,
  getReports,
  getRoom,
  getStateWhy,
  getStateDiff,
  purgeRoom,
  deleteRoom,
  addSigningKey,
  getDestinations,
  retryDestination,
  getReadiness,
  getConfig,
  reloadConfig,
  getLogLevel,
  putLogLevel,
  retryPartialRoom,
]);

/** The OpenAPI document of the inspector. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/openapi.json',
  spec: 'Troupe inspector v1: This document.',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ openapi: Type.String() }),
  needs: [],
  handle: () => Promise.resolve(reply(200, DOCUMENT)),
});
