/** A webhook as text to paste: tidy JSON, and the `curl` call that sends it again. */

/** The body as people read it; what is no JSON stays as it came. */
export function pretty(body: unknown): string {
  if (typeof body !== 'string') return JSON.stringify(body, null, 2);
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

/** The key is masked: it is not known here, and must not be. */
export function curlOf(url: string, body: string): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  return [
    `curl -X POST ${quoted(url)}`,
    `-H 'Authorization: Apikey ••••'`,
    `-H 'Content-Type: application/json'`,
    `--data-raw ${quoted(body)}`,
  ].join(' \\\n  ');
}
