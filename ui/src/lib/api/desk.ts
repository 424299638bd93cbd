/** What the owner does with courses, bundles, addresses, services, workers on other machines and connections. */
import { del, post, put } from './api';
import type * as T from './types';

const enc = encodeURIComponent;

export const desk = {
  saveCourse: (slug: string, change: T.CourseChange) => put<T.CourseRow>(`courses/${enc(slug)}`, change),
  archive: (slug: string, active: boolean) => post<T.CourseRow>(`courses/${enc(slug)}/archive`, { active }),
  duplicate: (slug: string, copy: string, title: string) =>
    post<T.CourseRow>(`courses/${enc(slug)}/duplicate`, { slug: copy, ...(title === '' ? {} : { title }) }),
  prepare: (slug: string) => post<T.CourseDetail>(`courses/${enc(slug)}/prepare`),
  checkSource: (slug: string) => post<T.CourseCheck>(`courses/${enc(slug)}/check`),
  announce: (slug: string, message: string) =>
    post<T.Announcement>(`courses/${enc(slug)}/announce`, { message }),
  testDelivery: (slug: string, email: string) =>
    post<T.CourseDetail>(`courses/${enc(slug)}/test-delivery`, { email }),
  sourceTest: (source: T.Spec) => post<T.SourceListing>('courses/source-test', { source }),
  saveBundle: (slug: string, change: T.BundleChange) => put<T.BundleRow>(`bundles/${enc(slug)}`, change),

  changeEmail: (code: string, change: T.AddressRequest) =>
    post<T.OrderDetail>(`orders/${enc(code)}/change-email`, change),
  resend: (code: string) => post<T.OrderDetail>(`orders/${enc(code)}/resend`),

  pauseService: (name: string, minutes?: number) =>
    post<unknown>(`services/${enc(name)}/pause`, minutes === undefined ? {} : { minutes }),
  resumeService: (name: string) => post<unknown>(`services/${enc(name)}/resume`),

  createWorker: (name: string) => post<T.WorkerKeyShown>('workers', { name }),
  rotateWorker: (name: string) => post<T.WorkerKeyShown>(`workers/${enc(name)}/rotate`),
  revokeWorker: (name: string) => del<unknown>(`workers/${enc(name)}`),

  rotateKey: (name: string, overlap: number, value?: string) =>
    post<T.KeyRotated>(`secrets/${enc(name)}/rotate`, {
      overlap_h: overlap,
      ...(value === undefined ? {} : { value }),
    }),
  revokePrevious: (name: string) => del<unknown>(`secrets/${enc(name)}/previous`),
  deleteKey: (name: string) => del<T.Settings>(`secrets/${enc(name)}`),
  acceptAudit: () => post<T.AuditCheck>('audit/accept'),
  exported: (what: string, rows: number) => post<unknown>('exports', { what, rows }),

  connectGoogle: () => post<{ url: string }>('google/connect'),
  disconnectGoogle: () => post<T.Google>('google/disconnect'),
  testRecipe: (enrolment: T.Spec, email: string) =>
    post<T.RecipeTest>('recipes/test', { enrolment, email, dry_run: email === '' }),
};
