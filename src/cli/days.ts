import { InvalidArgumentError } from 'commander';

const DAYS: Readonly<Record<string, number>> = { '': 1, m: 1 / 1440, h: 1 / 24, d: 1, w: 7 };

/** A time that is given in days (`14`), or with its unit (`30m`, `12h`, `14d`, `2w`), as days. */
export function days(text: string): number {
  const [, number, unit = ''] = /^(\d{1,6}(?:\.\d+)?)([mhdw]?)$/.exec(text) ?? [];
  const factor = DAYS[unit];
  if (number === undefined || factor === undefined) {
    throw new InvalidArgumentError('expected days, or a number with m, h, d or w: 14, 12h, 2w.');
  }
  return Number(number) * factor;
}

/** As `days`; `now` is none. */
export function daysOrNow(text: string): number {
  return text === 'now' ? 0 : days(text);
}
