/** The language in use, and `t`. Changing it redraws everything that was said with `t`; nothing reloads. */
import { fill, isKey, messages, type Key, type Locale, type Words } from './messages';
import { store } from '../store';

const KEY = 'chotdon.locale';

class Language {
  locale = $state<Locale>(store.read(KEY) === 'en' ? 'en' : 'vi');

  set(next: Locale): void {
    this.locale = next;
    store.write(KEY, next);
    this.apply();
  }

  /** Tells the document, for screen readers and hyphenation. */
  apply(): void {
    document.documentElement.lang = this.locale;
  }
}

export const language = new Language();

export function t(key: Key, words?: Words): string {
  return fill(messages[language.locale][key], words);
}

/** Words for `prefix.name` when the catalogue has them, else `name` as it came. For values the core may add later. */
export function tMaybe(prefix: string, name: string, words?: Words): string {
  const key = `${prefix}.${name}`;
  return isKey(key) ? t(key, words) : name;
}

export { isKey };
export type { Key, Locale };
