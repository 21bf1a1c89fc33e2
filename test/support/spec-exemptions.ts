import { isJsonObject } from '../../src/kit/json.ts';
import type { SeenAnswer } from './spec-answers.ts';

/** An answer that is not what the OpenAPI documents say, on purpose. */
interface Exemption {
  /** Which operations; `*` stands for anything within one part of the path. */
  readonly operation: string;
  /** Which of their answers. */
  readonly when: (answer: SeenAnswer) => boolean;
  readonly because: string;
}

/** Operations of which the documents allow exactly one of several answers where one includes the other. */
const OVERLAPPING: ReadonlyMap<string, string> = new Map([
  [
    'GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
    'a whole event is an object as well, as any content is',
  ],
]);

/** Whether the alternatives of an operation's answers may be fulfilled together, although the documents say otherwise. */
export function hasOverlappingAnswers(operation: string): boolean {
  return OVERLAPPING.has(operation);
}

/** Answers that files have beside those that are documented. RFC 9110. */
const FILE_STATUSES: ReadonlySet<number> = new Set([206, 304]);

const EXEMPTIONS: readonly Exemption[] = [
  {
    operation: 'GET /_matrix/client/v3/voip/turnServer',
    when: ({ body }) => isJsonObject(body) && Object.keys(body).length === 0,
    because: 'the specification knows no answer of a server without TURN servers; clients take {}',
  },
  ...['rooms/*/send/*/*', 'rooms/*/state/*/*'].map((what) => ({
    operation: `PUT /_matrix/client/v3/${what}`,
    when: ({ status, body }: SeenAnswer) => status === 200 && isJsonObject(body) && 'delay_id' in body,
    because: 'MSC4140 is not part of the specification yet: an event for later has no id',
  })),
  ...['presence/*/status', 'sync'].map((what) => ({
    operation: `GET /_matrix/client/v3/${what}`,
    when: ({ body }: SeenAnswer) => JSON.stringify(body).includes('"presence":"org.matrix.msc3026.busy"'),
    because: 'MSC3026 is not part of the specification yet',
  })),
  ...['GET', 'POST'].map((method) => ({
    operation: `${method} /_matrix/client/v3/auth/*/fallback/web`,
    when: ({ status }: SeenAnswer) => status === 200,
    because: 'the specification has these pages in its text alone',
  })),
  ...['account_data/*', 'rooms/*/account_data/*'].map((of) => ({
    operation: `DELETE /_matrix/client/v3/user/*/${of}`,
    when: ({ status }: SeenAnswer) => status === 200,
    because: 'MSC3391 is not part of the specification yet',
  })),
  ...['client/v1/media', 'media/v3'].flatMap((media) =>
    ['download/*/*', 'download/*/*/*', 'thumbnail/*/*'].map((what) => ({
      operation: `GET /_matrix/${media}/${what}`,
      when: ({ status }: SeenAnswer) => FILE_STATUSES.has(status),
      because: 'a client may ask for a part of a file, or whether it has it: that is HTTP',
    })),
  ),
];

/** `pattern` is written with its parameters as `*`; operations of the specification have them in braces, other paths as they were asked for. */
function fits(pattern: string, operation: string): boolean {
  const [wanted, given] = [pattern.split('/'), operation.split('/')];
  return wanted.length === given.length && wanted.every((part, at) => part === '*' || part === given[at]);
}

/** Why an answer need not be what the documents say; undefined when it has to. */
export function findExemption(operation: string, answer: SeenAnswer): string | undefined {
  return EXEMPTIONS.find((one) => fits(one.operation, operation) && one.when(answer))?.because;
}
