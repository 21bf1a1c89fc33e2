import { WrongUsage } from './command.ts';

const MS_BY_UNIT: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
/** Ten years: a slip of the finger rather than a wish. */
const AHEAD_MS_MAX = 315_360_000_000;

/**
 * Reads when something is to end: `12h` or `7d` from now on, or a day or moment in ISO 8601, where a day means its end on this machine's clock.
 *
 * @param now milliseconds since the Unix epoch
 * @returns milliseconds since the Unix epoch
 * @throws WrongUsage for what is neither, has passed, or is more than ten years away
 */
export function parseEnd(text: string, now: number): number {
  const [, count, unit = ''] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const isMoment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?$/.test(text);
  const end =
    count !== undefined
      ? now + Number(count) * (MS_BY_UNIT[unit] ?? 0)
      : isDay || isMoment
        ? new Date(isDay ? `${text}T23:59:59` : text).getTime()
        : Number.NaN;
  if (Number.isNaN(end))
    throw new WrongUsage(`"${text}" is no time: write 12h, 7d or 4w, or a day such as 2027-01-31`);
  if (end <= now) throw new WrongUsage(`${text} has passed already`);
  if (end - now > AHEAD_MS_MAX) throw new WrongUsage(`${text} is more than ten years away`);
  return end;
}
