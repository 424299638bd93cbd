/** A course while it is edited: what the form holds, and what is sent of it. */
import type { CourseChange, CourseRow, Spec } from '../api/types';
import { readMoney } from '../i18n/format';

export type CourseDraft = {
  slug: string;
  title: string;
  price: string;
  description: string;
  access_days: number;
  active: boolean;
  source: Spec;
  target: Spec;
  enrolment: Spec | null;
};

/** The two ways to begin. */
export type Template = 'folder' | 'drive';

export function freshDraft(template: Template): CourseDraft {
  return {
    slug: '',
    title: '',
    price: '',
    description: '',
    access_days: 0,
    active: true,
    source: { kind: 'folder', path: '' },
    target: { kind: template },
    enrolment: null,
  };
}

export function draftOf(course: CourseRow): CourseDraft {
  return {
    slug: course.slug,
    title: course.title,
    price: String(course.price_vnd),
    description: course.description,
    access_days: course.access_days,
    active: course.active,
    source: { ...course.source },
    target: { ...course.target },
    enrolment: course.enrolment ? { ...course.enrolment } : null,
  };
}

/** Empty fields are not sent: left out, they mean "none" to the core. */
function filled(spec: Spec): Spec {
  const entries = Object.entries(spec).filter(
    ([, value]) =>
      value !== '' && value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return { ...Object.fromEntries(entries), kind: spec.kind };
}

/** What is sent; `undefined` while the price is no amount. */
export function changeOf(
  draft: CourseDraft,
  create: boolean,
  known: Spec | null | undefined,
): CourseChange | undefined {
  const price_vnd = readMoney(draft.price);
  if (price_vnd === undefined) return undefined;
  const change: CourseChange = {
    title: draft.title.trim(),
    price_vnd,
    description: draft.description.trim(),
    access_days: draft.access_days,
    active: draft.active,
    source: filled(draft.source),
    target: filled(draft.target),
    create,
  };
  // Nothing there and nothing wanted is not worth a word.
  if (draft.enrolment !== null || known) change.enrolment = draft.enrolment ? filled(draft.enrolment) : null;
  return change;
}

/** `Rust cơ bản` → `rust-co-ban`. */
export function slugOf(title: string): string {
  return title
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/đ/gi, 'd')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)
    .replace(/-+$/, '');
}
