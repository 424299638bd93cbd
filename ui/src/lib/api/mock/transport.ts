/** A core made of sample data, for screenshots, component tests and `npm run dev` with `?mock`. */
import { MockProblem } from './problem';
import { problemBody, Shop, type Variant } from './shop';
import type { Answer, Transport } from '../transport';

/** `data`: `full`, `empty`, `broken`, or `locked` (asks for a token first). */
export function mockTransport(search: URLSearchParams): Transport {
  const wanted = search.get('data');
  const variant: Variant = wanted === 'empty' || wanted === 'broken' ? wanted : 'full';
  const shop = new Shop(variant, search.get('still') === null);
  let locked = wanted === 'locked';
  return {
    name: 'mock',
    async request(method, path, body): Promise<Answer> {
      await Promise.resolve();
      if (path === '/login') locked = (body as { token: string }).token === 'wrong';
      if (locked) return problemBody(new MockProblem(401, 'login_required', 'no session'));
      try {
        const value = shop.answer(method, path, body);
        return {
          status: value === undefined ? 204 : 200,
          contentType: 'application/json',
          body: value === undefined ? '' : JSON.stringify(value),
        };
      } catch (error) {
        return problemBody(error);
      }
    },
    events: (onEvent, onLink) => shop.listen(onEvent, onLink),
    openExternal: () => Promise.resolve(),
    onNavigate: () => undefined,
  };
}
