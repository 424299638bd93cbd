/**
 * A list as a file for a spreadsheet: what the list shows, with its filters, every page of it.
 *
 * Amounts are plain integers, times ISO 8601 in Vietnam's zone, codes and phones text; a cell that a spreadsheet
 * would run as a formula is made text. UTF-8 with BOM, or Excel breaks Vietnamese.
 */
import { get, rowsOf } from '../api/api';
import type { Page } from '../api/types';
import { isoLocal } from '../i18n/format';

/** `money` and `count` are plain integers, `at` a time, `code` text that must not become a number. */
export type CellKind = 'text' | 'code' | 'money' | 'count' | 'at';
export type Column<R> = {
  name: string;
  kind: CellKind;
  of: (row: R) => string | number | null | undefined;
};

export const BOM = '\ufeff';
const PAGE = 200;
/** Rows of one file at most; Excel holds a little over a million. */
export const MOST_ROWS = 1_000_000;

function value<R>(column: Column<R>, row: R): string {
  const given = column.of(row);
  if (given === null || given === undefined || given === '') return '';
  if (column.kind === 'at') return isoLocal(String(given));
  return String(given);
}

/** A leading sign or tab would be run as a formula; a leading quote makes it text. */
export function harmless(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function cell<R>(column: Column<R>, row: R): string {
  const text = value(column, row);
  if (column.kind === 'money' || column.kind === 'count' || column.kind === 'at') return text;
  // ="0912…" keeps leading zeros and long digits in Excel.
  if (column.kind === 'code' && /^\d+$/.test(text)) return quoted(`="${text}"`);
  return quoted(harmless(text));
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvOf<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const head = columns.map((column) => quoted(harmless(column.name))).join(',');
  const lines = rows.map((row) => columns.map((column) => cell(column, row)).join(','));
  return `${BOM}${[head, ...lines].join('\r\n')}\r\n`;
}

/** For the clipboard: spreadsheets take tabs apart, not commas. */
export function tsvOf<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const flat = (text: string): string => harmless(text).replaceAll(/[\t\r\n]+/g, ' ');
  const head = columns.map((column) => flat(column.name)).join('\t');
  const lines = rows.map((row) =>
    columns
      .map((column) =>
        column.kind === 'money' || column.kind === 'count' ? value(column, row) : flat(value(column, row)),
      )
      .join('\t'),
  );
  return [head, ...lines].join('\n');
}

/** Every row of the list behind `path`, page by page; `seen` hears how many there are so far. */
export async function allRows<R>(path: string, seen: (n: number) => void): Promise<R[]> {
  const rows: R[] = [];
  let next: string | null = null;
  do {
    const after: string = next === null ? '' : `&after=${encodeURIComponent(next)}`;
    const page: Page<R> = await get<Page<R>>(`${path}${path.includes('?') ? '&' : '?'}limit=${PAGE}${after}`);
    rows.push(...rowsOf(page));
    next = page.next ?? null;
    seen(rows.length);
  } while (next !== null && rows.length < MOST_ROWS);
  return rows;
}
