/** Joins what there is with the middle dot. */
export function dots(...parts: (string | false | null | undefined)[]): string {
  return parts.filter(Boolean).join(' · ');
}
