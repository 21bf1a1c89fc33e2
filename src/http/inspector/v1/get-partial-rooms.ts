import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';

const TS = Type.Union([Type.Integer(), Type.Null()]);

const roomSchema = Type.Object({
  roomId: Type.String(),
  joinedVia: Type.String(),
  servers: Type.Integer(),
  sinceTs: Type.Integer(),
  failures: Type.Integer(),
  lastError: Type.Union([Type.String(), Type.Null()]),
  retryTs: TS,
  isUnderWay: Type.Boolean(),
});

/** Rooms that were joined without their members, which are being fetched: since when, and who could not give them. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/inspector/v1/partial-rooms',
  spec: 'Troupe inspector v1: Rooms that were joined without their members, which are being fetched: since when, and who could not give them.',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ rooms: Type.Array(roomSchema) }),
  needs: ['inspector'],
  async handle({ services }) {
    const answer = await services.inspector.ask('inspector.read-partial-rooms', null);
    return isRefusal(answer) ? answer : reply(200, { rooms: [...answer.rooms] });
  },
});
