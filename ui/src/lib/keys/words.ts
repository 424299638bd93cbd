/** Keys in plain words: a fixed name, or the kind and the name that the owner gave. */
import { isKey } from '../i18n/messages';
import { t, tMaybe } from '../i18n/index.svelte';

export function keyName(name: string): string {
  const key = `key.${name}`;
  if (isKey(key)) return t(key);
  const [family = '', rest = ''] = name.split(/\.(.*)/s);
  return `${tMaybe('key_family', family)} ${rest}`;
}
