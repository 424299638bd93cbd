/** Lower case without marks, đ as d: for finding among the few words of the palette. Orders are searched by the core. */
export function fold(text: string): string {
  return text.toLowerCase().normalize('NFD').replace(/\p{M}/gu, '').replace(/đ/g, 'd');
}
