// Checks a webhook of ChotDon: `verify(secret, headers, rawBody)` answers the event, or throws.
import { createHmac, timingSafeEqual } from 'node:crypto';

const TOLERANCE_S = 300;

export function verify(secret, headers, rawBody, now = Date.now() / 1000) {
  const id = headers['webhook-id'];
  const stamp = headers['webhook-timestamp'];
  if (!id || !/^\d{1,12}$/.test(stamp ?? '')) throw new Error('not a webhook');
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${stamp}.`).update(rawBody).digest();
  const signed = (headers['webhook-signature'] ?? '').split(' ').some((one) => {
    const given = Buffer.from(one.startsWith('v1,') ? one.slice(3) : '', 'base64');
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!signed) throw new Error('wrong signature');
  if (Math.abs(now - Number(stamp)) > TOLERANCE_S) throw new Error('too old');
  return JSON.parse(rawBody);
}
