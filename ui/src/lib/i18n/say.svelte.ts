/** The formatters bound to the language in use, for components. */
import * as format from './format';
import { language } from './index.svelte';

export const say = {
  money: (vnd: number): string => format.money(language.locale, vnd),
  /** Without its sign, where the words say which way. */
  moneyOf: (vnd: number): string => format.money(language.locale, Math.abs(vnd)),
  countOf: (n: number): string => format.count(language.locale, Math.abs(n)),
  count: (n: number): string => format.count(language.locale, n),
  bytes: (n: number): string => format.bytes(language.locale, n),
  duration: (seconds: number): string => format.duration(language.locale, seconds),
  stretch: (seconds: number): string => format.stretch(language.locale, seconds),
  dayName: (day: string): string => format.dayName(language.locale, day),
  weekday: (day: string): string => format.weekday(language.locale, day),
  dateTime: format.dateTime,
  dateTimeExact: format.dateTimeExact,
  clock: format.clock,
  shortTime: format.shortTime,
  span: format.span,
  phone: format.phone,
};
