/** Why a suggestion is one, in words, and which parts of the transfer text show it. */
import type { Evidence, Suggestion } from '../api/types';
import { isKey, t, type Key } from '../i18n/index.svelte';
import { say } from '../i18n/say.svelte';

const AGAINST = new Set(['late', 'already_paid']);

/** Whether it speaks against the match rather than for it. */
export function speaksAgainst(evidence: Evidence): boolean {
  return AGAINST.has(evidence.kind);
}

export function evidenceWords(evidence: Evidence): string {
  const key = `evidence.${evidence.kind}`;
  if (!isKey(key)) return evidence.kind;
  return t(key as Key, {
    found: evidence.found ?? '',
    meant: evidence.meant ?? '',
    amount: say.money(evidence.amount_vnd ?? 0),
    time: say.duration(evidence.seconds ?? 0),
  });
}

/** The words of the transfer that the evidence rests on. */
export function marksOf(suggestions: readonly Suggestion[]): string[] {
  const found = suggestions.flatMap((suggestion) =>
    suggestion.evidence.map((evidence) => evidence.found ?? ''),
  );
  return [...new Set(found.filter((text) => text !== ''))];
}

export type Piece = { text: string; marked: boolean };

/** Cuts `text` so that each of `marks` that stands in it, in whatever case, is a piece of its own. */
export function piecesOf(text: string, marks: readonly string[]): Piece[] {
  const low = text.toLowerCase();
  const on = Array<boolean>(text.length).fill(false);
  // A text whose lower case is longer cannot be cut by its places.
  if (low.length === text.length) {
    for (const mark of marks) {
      const wanted = mark.toLowerCase();
      for (let at = low.indexOf(wanted); at >= 0 && wanted !== ''; at = low.indexOf(wanted, at + 1)) {
        on.fill(true, at, at + wanted.length);
      }
    }
  }
  const pieces: Piece[] = [];
  for (let i = 0; i < text.length; i++) {
    const last = pieces.at(-1);
    const marked = on[i] ?? false;
    if (last && last.marked === marked) last.text += text.charAt(i);
    else pieces.push({ text: text.charAt(i), marked });
  }
  return pieces;
}
