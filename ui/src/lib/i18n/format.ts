/**
 * Numbers, money and times as people here read them. Always with an explicit locale and Vietnam's time zone:
 * the machine's own may be anything, and WebKit throws on `LANG=C`.
 */
import type { Locale } from './messages';

export const ZONE = 'Asia/Ho_Chi_Minh';
const TAG: Record<Locale, string> = { vi: 'vi-VN', en: 'en-GB' };

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function numbers(locale: Locale, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `n${locale}${JSON.stringify(options)}`;
  let found = cache.get(key) as Intl.NumberFormat | undefined;
  if (!found) cache.set(key, (found = new Intl.NumberFormat(TAG[locale], options)));
  return found;
}

function dates(locale: Locale, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `d${locale}${JSON.stringify(options)}`;
  let found = cache.get(key) as Intl.DateTimeFormat | undefined;
  if (!found) {
    cache.set(key, (found = new Intl.DateTimeFormat(TAG[locale], { timeZone: ZONE, ...options })));
  }
  return found;
}

/** `100.000 ₫` in Vietnamese, `₫100,000` in English; never shortened. */
export function money(locale: Locale, vnd: number): string {
  return numbers(locale, { style: 'currency', currency: 'VND', maximumFractionDigits: 0 })
    .format(vnd)
    .replace('VND', '₫')
    .replace('-', '−');
}

/** The digits of an amount without the sign of the currency. */
export function count(locale: Locale, n: number): string {
  return numbers(locale, { maximumFractionDigits: 0 }).format(n).replace('-', '−');
}

type Parts = Record<'day' | 'month' | 'year' | 'hour' | 'minute' | 'second', string>;

function parts(iso: string): Parts | undefined {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return undefined;
  const found: Partial<Parts> = {};
  const format = dates('en', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  for (const part of format.formatToParts(time)) {
    if (part.type in { day: 1, month: 1, year: 1, hour: 1, minute: 1, second: 1 }) {
      found[part.type as keyof Parts] = part.value;
    }
  }
  return found as Parts;
}

/** `22/11/2026 07:34`; a dash for nothing. */
export function dateTime(iso: string | null | undefined): string {
  const p = iso ? parts(iso) : undefined;
  return p ? `${p.day}/${p.month}/${p.year} ${p.hour}:${p.minute}` : '—';
}

/** `22/11/2026 07:34:12`. */
export function dateTimeExact(iso: string | null | undefined): string {
  const p = iso ? parts(iso) : undefined;
  return p ? `${p.day}/${p.month}/${p.year} ${p.hour}:${p.minute}:${p.second}` : '—';
}

/** `2026-11-22T07:34:12+07:00`: for files, sortable and without doubt about the zone. */
export function isoLocal(iso: string): string {
  const p = parts(iso);
  return p ? `${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}:${p.second}+07:00` : iso;
}

/** `07:34:12`. */
export function clock(iso: string | null | undefined): string {
  const p = iso ? parts(iso) : undefined;
  return p ? `${p.hour}:${p.minute}:${p.second}` : '—';
}

/** `07:34` today, `20/11 07:34` on other days. `now` is in ms. */
export function shortTime(iso: string | null | undefined, now: number): string {
  const p = iso ? parts(iso) : undefined;
  if (!p) return '—';
  const today = parts(new Date(now).toISOString());
  const same = today && p.day === today.day && p.month === today.month && p.year === today.year;
  return same ? `${p.hour}:${p.minute}` : `${p.day}/${p.month} ${p.hour}:${p.minute}`;
}

/** `Chủ nhật, 22/11/2026` from `2026-11-22`. */
export function dayName(locale: Locale, day: string): string {
  const iso = `${day}T12:00:00+07:00`;
  const p = parts(iso);
  if (!p) return day;
  return `${weekday(locale, day)}, ${p.day}/${p.month}/${p.year}`;
}

/** `Chủ nhật` from `2026-11-22`. */
export function weekday(locale: Locale, day: string): string {
  const time = Date.parse(`${day}T12:00:00+07:00`);
  if (Number.isNaN(time)) return day;
  const name = dates(locale, { weekday: 'long' }).format(time);
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** `0:42`, `12:05`, `1:02:03`; never negative. For countdowns and elapsed times. */
export function span(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const s = String(total % 60).padStart(2, '0');
  const m = Math.floor(total / 60) % 60;
  const h = Math.floor(total / 3600);
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`;
}

/** `3 giờ 12 phút`, `12 phút`: hours and minutes, rounded down; under a minute, seconds. */
export function stretch(locale: Locale, seconds: number): string {
  const hours = Math.floor(seconds / 3600) * 3600;
  const minutes = Math.floor((seconds - hours) / 60) * 60;
  const parts = [hours, minutes].filter((part) => part > 0);
  if (parts.length === 0) return duration(locale, seconds);
  const one = (part: number): string => {
    const n = part / (part === hours ? 3600 : 60);
    const words = part === hours ? ['giờ', 'hour'] : ['phút', 'minute'];
    return locale === 'vi' ? `${n} ${words[0]}` : `${n} ${words[1]}${n === 1 ? '' : 's'}`;
  };
  return parts.map(one).join(' ');
}

/** `9 giây`, `2 phút`, `3 giờ`, `4 ngày`: one unit, rounded down. */
export function duration(locale: Locale, seconds: number): string {
  const units: [number, string, string][] = [
    [86400, 'ngày', 'day'],
    [3600, 'giờ', 'hour'],
    [60, 'phút', 'minute'],
    [1, 'giây', 'second'],
  ];
  const whole = Math.max(0, Math.floor(seconds));
  for (const [size, viWord, enWord] of units) {
    if (whole >= size || size === 1) {
      const n = Math.floor(whole / size);
      return locale === 'vi' ? `${n} ${viWord}` : `${n} ${enWord}${n === 1 ? '' : 's'}`;
    }
  }
  return '';
}

/** `12,4 MB`; decimal units as disks are sold. */
export function bytes(locale: Locale, n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = n;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${numbers(locale, { maximumFractionDigits: digits }).format(size)} ${units[unit]}`;
}

/** `0912 345 678` from `+84912345678`; anything else as it came. */
export function phone(text: string): string {
  const local = text.replace(/^\+84/, '0').replace(/\D/g, '');
  return /^0\d{9}$/.test(local) ? `${local.slice(0, 4)} ${local.slice(4, 7)} ${local.slice(7)}` : text;
}

/** Money as typed: `100000`, `100.000`, `100k`, `1,5tr`. `undefined` when it is not whole đồng. */
export function readMoney(text: string): number | undefined {
  const clean = text
    .trim()
    .toLowerCase()
    .replace(/[₫đ\s]/g, '');
  const short = /^(\d+)(?:[.,](\d{1,3}))?(k|tr)$/.exec(clean);
  if (short) {
    const zeros = short[3] === 'tr' ? 6 : 3;
    const digits = `${short[1]}${(short[2] ?? '').padEnd(zeros, '0')}`;
    return Number.isSafeInteger(Number(digits)) ? Number(digits) : undefined;
  }
  if (!/^\d+$/.test(clean) && !/^\d{1,3}([.,]\d{3})+$/.test(clean)) return undefined;
  const value = Number(clean.replace(/[.,]/g, ''));
  return Number.isSafeInteger(value) ? value : undefined;
}
