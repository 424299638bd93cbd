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
  const platform = name === '' ? t('enrol.custom') : tMaybe('recipe', name);
  return hasFiles(course) ? `${target} + ${platform}` : t('courses.place_at', { platform });
}

/** From where to where, in one line. */
export function way(course: CourseRow): string {
  return hasFiles(course) ? `${tMaybe('source', course.source.kind)} → ${wayOut(course)}` : wayOut(course);
}

/** Whether there is anything to fetch: a course may be nothing but a place at a platform. */
export function hasFiles(course: { source: Spec }): boolean {
  return course.source.kind !== 'none';
}
