/**
 * The words, typed: Vietnamese names every key, English must have the same ones.
 *
 * A message may hold `{name}` and, for English, `{name|one|other}`, which picks the word by the number `name`.
 */
import enDesk from './en.desk.json';
import enDoors from './en.doors.json';
import enErrors from './en.errors.json';
import enJson from './en.json';
import enMoney from './en.money.json';
import enNoFiles from './en.nofiles.json';
import enStates from './en.states.json';
import viDesk from './vi.desk.json';
import viDoors from './vi.doors.json';
import viErrors from './vi.errors.json';
import viJson from './vi.json';
import type viCourses from './vi.courses.json';
import type viKeys from './vi.keys.json';
import type viMails from './vi.mails.json';
import viMoney from './vi.money.json';
import viNoFiles from './vi.nofiles.json';
import type viOps from './vi.ops.json';
import type viStorefront from './vi.storefront.json';
import viStates from './vi.states.json';
import type viTunnel from './vi.tunnel.json';

const vi = {
  ...viJson,
  ...viMoney,
  ...viDesk,
  ...viDoors,
  ...viNoFiles,
  ...viStates,
  ...viErrors,
};

/** Words that come with the pages that say them; see `later.ts`. */
type LaterKey = keyof (typeof viCourses &
  typeof viKeys &
  typeof viMails &
  typeof viOps &
  typeof viStorefront &
  typeof viTunnel);
export type Key = keyof typeof vi | LaterKey;
export type Locale = 'vi' | 'en';
export type Words = Record<string, string | number>;

// Each way round, so that a key missing on either side does not compile.
const english = {
  ...enJson,
  ...enMoney,
  ...enDesk,
  ...enDoors,
  ...enNoFiles,
  ...enStates,
  ...enErrors,
};
const en: Record<keyof typeof vi, string> = english;
vi satisfies Record<keyof typeof english, string>;

const all: Record<Locale, Record<string, string>> = { vi: { ...vi }, en: { ...en } };
export const messages = all as Record<Locale, Record<Key, string>>;

/** Adds the words of a part, in both languages at once. */
export function addWords(words: Record<Locale, Record<string, string>>): void {
  Object.assign(all.vi, words.vi);
  Object.assign(all.en, words.en);
}

export function isKey(text: string): text is Key {
  return Object.hasOwn(all.vi, text);
}

/** Fills the gaps of one message. An unknown name stays visible, so that a mistake shows. */
export function fill(text: string, words: Words = {}): string {
  return text.replace(
    /\{(\w+)(?:\|([^|{}]*)\|([^|{}]*))?\}/g,
    (gap, name: string, one?: string, other?: string) => {
      const value = words[name];
      if (value === undefined) return gap;
      if (one !== undefined && other !== undefined) return Number(value) === 1 ? one : other;
      return String(value);
    },
  );
}
