/**
 * Every question and action of the UI, typed. Holds the transport that `main.ts` chose.
 *
 * A 401 calls the login hook and rejects; every other failure rejects with an [`ApiProblem`].
 */
import { ApiProblem, asProblem, problemFrom } from './problem';
import type { Awake, Link, Method, Transport } from './transport';
import type * as T from './types';

let transport: Transport | undefined;
let loginHook: () => void = () => undefined;

export function useTransport(chosen: Transport): void {
  transport = chosen;
}

/** `call` runs whenever an answer says that nobody is logged in. */
export function onLoginRequired(call: () => void): void {
  loginHook = call;
}

function door(): Transport {
  if (!transport) throw new ApiProblem('unreachable', 0, 'no transport chosen');
  return transport;
}

export async function request<R>(method: Method, path: string, body?: unknown): Promise<R> {
  let answer;
  try {
    answer = await door().request(method, path, body);
  } catch (error) {
    throw asProblem(error);
  }
  if (answer.status === 401) loginHook();
  if (answer.status < 200 || answer.status > 299) throw problemFrom(answer.status, answer.body);
  if (answer.body === '') return undefined as R;
  try {
    return JSON.parse(answer.body) as R;
  } catch {
    throw new ApiProblem('internal', answer.status, 'the answer is not JSON');
  }
}

const at = (rest: string): string => `/admin/api/${rest}`;
const enc = encodeURIComponent;

export const get = <R>(rest: string): Promise<R> => request<R>('GET', at(rest));
export const post = <R>(rest: string, body: unknown = {}): Promise<R> => request<R>('POST', at(rest), body);
export const put = <R>(rest: string, body: unknown): Promise<R> => request<R>('PUT', at(rest), body);
export const del = <R>(rest: string): Promise<R> => request<R>('DELETE', at(rest));

export const api = {
  events: (onEvent: (event: T.Event) => void, onLink: (link: Link) => void): (() => void) =>
    door().events(onEvent, onLink),
  openExternal: (url: string): Promise<void> => door().openExternal(url),
  /** Undefined in a browser. */
  startAtLogin: (on?: boolean): Promise<boolean> | undefined => door().startAtLogin?.(on),
  /** Undefined in a browser. */
  keepAwake: (on?: boolean): Promise<Awake> | undefined => door().keepAwake?.(on),
  /** Undefined in a browser, whose shop is a service. */
  restart: (): (() => Promise<void>) | undefined => {
    const transport = door();
    return transport.restart && (() => transport.restart?.() ?? Promise.resolve());
  },
  onNavigate: (go: (route: string) => void): void => door().onNavigate(go),
  transportName: (): Transport['name'] => door().name,

  login: (token: string): Promise<unknown> => request<unknown>('POST', '/login', { token }),
  logout: (): Promise<unknown> => request<unknown>('POST', '/logout', {}),

  createOrder: (order: T.NewOrder) => post<T.OrderDetail>('orders', order),
  cancelOrder: (code: string, reason: string) =>
    post<T.OrderDetail>(`orders/${enc(code)}/cancel`, { reason }),
  redeliver: (code: string) => post<T.OrderDetail>(`orders/${enc(code)}/redeliver`),
  addNote: (code: string, text: string) => post<T.OrderDetail>(`orders/${enc(code)}/note`, { text }),
  simulateTransfer: (transfer: T.SimulateTransfer) =>
    post<T.SimulatedTransfer>('simulate-transfer', transfer),
  mendDemoSource: () => post<unknown>('demo/mend'),

  retryTask: (id: number, fromStage?: string) =>
    post<T.TaskDetail>(`tasks/${id}/retry`, fromStage ? { from_stage: fromStage } : {}),
  cancelTask: (id: number, reason?: string) =>
    post<T.TaskDetail>(`tasks/${id}/cancel`, reason ? { reason } : {}),
  prioritise: (id: number, vip: boolean) => post<T.TaskDetail>(`tasks/${id}/priority`, { vip }),
  retryFailures: (wanted: T.RetryRequest) => post<T.RetryReport>('failures/retry', wanted),
  pause: (what: T.PauseRequest) => post<T.Queue>('queue/pause', what),
  resume: (what: T.PauseRequest) => post<T.Queue>('queue/resume', what),

  saveSection: (section: string, value: unknown) => put<T.Settings>(`settings/${section}`, value),
  setSecret: (name: string, value: string) => put<T.Settings>(`secrets/${enc(name)}`, { value }),
  deleteSecret: (name: string) => del<T.Settings>(`secrets/${enc(name)}`),
  saveBankAccount: (account: T.BankAccount) => put<T.Settings>('bank-accounts', account),
  deleteBankAccount: (id: number) => del<T.Settings>(`bank-accounts/${id}`),
  check: (id: string) => post<T.CheckRow>(`checks/${enc(id)}`),

  seeNotice: (id: number) => post<unknown>(`notices/${id}/seen`),
  seeAllNotices: () => post<unknown>('notices/seen'),
};

/** The rows of an answer that is a page or a plain list. */
export function rowsOf<R>(answer: T.Page<R> | R[] | undefined): R[] {
  if (!answer) return [];
  return Array.isArray(answer) ? answer : answer.rows;
}
