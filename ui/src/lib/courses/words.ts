/** A course's way in and out, in words. */
import type { CourseRow, Spec } from '../api/types';
import { t, tMaybe } from '../i18n/index.svelte';

const text = (spec: Spec, field: string): string => {
  const value = spec[field];
  return typeof value === 'string' ? value : '';
};

/** Where it comes from, as the owner wrote it. */
export function sourcePlace(source: Spec): string {
  switch (source.kind) {
    case 'folder':
      return text(source, 'path');
    case 'http':
      return text(source, 'url');
    case 'rclone':
      return `${text(source, 'remote')}:${text(source, 'path')}`;
    case 'program':
      return text(source, 'command');
    default:
      return '';
  }
}

/** How a buyer gets it: the target, and the platform they are enrolled at. */
export function wayOut(course: CourseRow): string {
  const target = tMaybe('target', course.target.kind);
  if (!course.enrolment) return target;
  const name = text(course.enrolment, 'name');
  return `${target} + ${name === '' ? t('enrol.custom') : tMaybe('recipe', name)}`;
}
