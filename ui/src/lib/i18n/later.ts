/** Words of pages that are fetched when they are first opened: such a page imports this first. */
import enKeys from './en.keys.json';
import { addWords } from './messages';
import viKeys from './vi.keys.json';

// Each way round, so that a key missing on either side does not compile.
const en: Record<keyof typeof viKeys, string> = enKeys;
const vi: Record<keyof typeof enKeys, string> = viKeys;

addWords({ vi, en });
