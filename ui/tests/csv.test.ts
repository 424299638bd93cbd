import { describe, expect, it } from 'vitest';

import { allRows, csvOf, harmless, tsvOf, type Column } from '../src/lib/export/csv';
import { FakeTransport } from './fake';

type Row = { code: string; phone: string; words: string; vnd: number; at: string | null };
const columns: Column<Row>[] = [
  { name: 'Mã', kind: 'code', of: (row) => row.code },
  { name: 'Điện thoại', kind: 'code', of: (row) => row.phone },
  { name: 'Nội dung', kind: 'text', of: (row) => row.words },
  { name: 'Số tiền', kind: 'money', of: (row) => row.vnd },
  { name: 'Lúc', kind: 'at', of: (row) => row.at },
];
const row = (rest: Partial<Row> = {}): Row => ({
  code: 'DH1',
  phone: '0912345678',
  words: 'Nguyễn Đức Thắng',
  vnd: 1_499_000,
  at: '2026-11-22T00:34:12Z',
  ...rest,
});

describe('a list as CSV', () => {
  it('begins with the mark that Excel needs for Vietnamese', () => {
    expect(csvOf(columns, []).charCodeAt(0)).toBe(0xfeff);
    expect(csvOf(columns, [row()])).toContain('Nguyễn Đức Thắng');
  });

  it('has amounts as plain integers, times in Vietnam, codes and phones as text', () => {
    const line = csvOf(columns, [row()]).split('\r\n')[1];
    expect(line).toBe('DH1,"=""0912345678""",Nguyễn Đức Thắng,1499000,2026-11-22T07:34:12+07:00');
  });

  it('runs no formula that a transfer text brings along', () => {
    for (const start of ['=', '+', '-', '@', '\t', '\r']) {
      expect(harmless(`${start}HYPERLINK("http://x")`).startsWith("'")).toBe(true);
    }
    const line = csvOf(columns, [row({ words: '=1+1,"x"\nnext' })]);
    expect(line).toContain(`"'=1+1,""x""\nnext"`);
    expect(tsvOf(columns, [row({ words: '@a\tb' })])).toContain("'@a b");
  });

  it('holds every page of the list, in its order', async () => {
    const fake = new FakeTransport();
    fake.answer = (asked) => {
      const after = new URL(asked.path, 'http://x').searchParams.get('after');
      return after === null ? { rows: [1, 2], next: 'b' } : { rows: [3], next: null };
    };
    const seen: number[] = [];
    expect(await allRows<number>('orders?stage=paid', (n) => seen.push(n))).toEqual([1, 2, 3]);
    expect(fake.paths()).toEqual([
      '/admin/api/orders?stage=paid&limit=200',
      '/admin/api/orders?stage=paid&limit=200&after=b',
    ]);
    expect(seen).toEqual([2, 3]);
  });
});
