import type { Random } from '../../../kit/random.ts';
import { type FileReply, fileReply } from '../../kit/endpoint.ts';

/** So long that no file has it by chance. */
const BOUNDARY_LENGTH = 40;

/**
 * Makes of media the second part of a `multipart/mixed` answer, whose first one says nothing.
 * Server-Server API v1.19, "Content Repository".
 */
export function asPart(file: FileReply, random: Random): FileReply {
  const boundary = random.text(BOUNDARY_LENGTH);
  const disposition = file.headers['Content-Disposition'];
  const head = [
    `--${boundary}`,
    'Content-Type: application/json',
    '',
    '{}',
    `--${boundary}`,
    `Content-Type: ${file.contentType}`,
    ...(disposition === undefined ? [] : [`Content-Disposition: ${disposition}`]),
    '',
    '',
  ];
  return fileReply({
    ...file,
    contentType: `multipart/mixed; boundary=${boundary}`,
    headers: {},
    around: { head: head.join('\r\n'), tail: `\r\n--${boundary}--\r\n` },
  });
}
