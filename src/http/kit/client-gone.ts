const GONE_CODES: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** Does an error say no more than that the client went away in the middle of its answer? That is nobody's fault. */
export function saysClientGone(error: unknown): boolean {
  return error instanceof Error && GONE_CODES.has((error as NodeJS.ErrnoException).code ?? '');
}
