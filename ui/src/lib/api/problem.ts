/** What a failed request is to the UI: a stable code that the catalogue has words for, and a technical detail. */
import type { Problem } from './types';

export class ApiProblem extends Error {
  readonly code: string;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly detail: string;

  constructor(code: string, status: number, detail: string) {
    super(`${code}: ${detail}`);
    this.name = 'ApiProblem';
    this.code = code;
    this.status = status;
    this.detail = detail;
  }
}

/** Reads an error answer; a body that is no problem document still gives a problem. */
export function problemFrom(status: number, body: string): ApiProblem {
  try {
    const value = JSON.parse(body) as Partial<Problem>;
    if (typeof value.code === 'string') {
      return new ApiProblem(value.code, status, value.detail ?? value.title ?? '');
    }
  } catch {
    // Not JSON: a proxy or an old server answered.
  }
  const code = status === 401 ? 'login_required' : status === 404 ? 'not_found' : 'internal';
  return new ApiProblem(code, status, body.slice(0, 500));
}

/** Any thrown value as a problem. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  return new ApiProblem('unreachable', 0, error instanceof Error ? error.message : String(error));
}
