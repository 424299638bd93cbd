import { describe, expect, it } from 'vitest';

import * as format from '../src/lib/i18n/format';

const NBSP = '\u00a0';

describe('money', () => {
  it('is written as Vietnamese read it', () => {
    expect(format.money('vi', 100000)).toBe(`100.000${NBSP}₫`);
    expect(format.money('vi', 18463000)).toBe(`18.463.000${NBSP}₫`);
  });

  it('is never shortened, not even where Intl would', () => {
    expect(format.money('vi', 12_500_000)).toBe(`12.500.000${NBSP}₫`);
    const compact = new Intl.NumberFormat('vi-VN', { notation: 'compact' }).format(12_500_000);
    expect(compact).not.toContain('12.500.000');
  });

  it('shows a minus sign for money out', () => {
    expect(format.money('vi', -50000)).toBe(`−50.000${NBSP}₫`);
  });

  it('is grouped the English way in English', () => {
    expect(format.money('en', 100000)).toBe('₫100,000');
  });

  it('is read however it is typed', () => {
    for (const [text, vnd] of [
      ['100000', 100000],
      ['100.000', 100000],
      ['100,000 ₫', 100000],
      ['100k', 100000],
      ['1,5tr', 1500000],
      ['1.25tr', 1250000],
      ['0', 0],
    ] as const) {
      expect(format.readMoney(text), text).toBe(vnd);
    }
  });

  it('is refused when it is not whole đồng', () => {
    for (const text of ['', 'abc', '1.5', '-5', '10,00', '99999999999999999999', '1e5']) {
      expect(format.readMoney(text), text).toBeUndefined();
    }
  });
});

describe('times', () => {
  it('are those of Vietnam, whatever the machine says', () => {
    expect(format.dateTime('2026-11-22T00:34:12Z')).toBe('22/11/2026 07:34');
    expect(format.dateTimeExact('2026-11-22T00:34:12Z')).toBe('22/11/2026 07:34:12');
    expect(format.dateTime('2026-11-21T17:00:00Z')).toBe('22/11/2026 00:00');
    expect(format.clock('2026-11-22T00:34:12Z')).toBe('07:34:12');
  });

  it('put the day first, unlike the default of Vietnamese Intl', () => {
    const bare = new Intl.DateTimeFormat('vi-VN', {
      dateStyle: 'short',
      timeStyle: 'short',
      timeZone: format.ZONE,
    });
    expect(bare.format(Date.parse('2026-11-22T00:34:12Z'))).not.toBe('22/11/2026 07:34');
  });

  it('leave out the day when it is today in Vietnam', () => {
    const now = Date.parse('2026-11-22T01:00:00Z');
    expect(format.shortTime('2026-11-21T18:00:00Z', now)).toBe('01:00');
    expect(format.shortTime('2026-11-21T16:00:00Z', now)).toBe('21/11 23:00');
  });

  it('are a dash when there are none', () => {
    expect(format.dateTime(null)).toBe('—');
    expect(format.dateTime('not a time')).toBe('—');
  });

  it('name the day', () => {
    expect(format.dayName('vi', '2026-11-22')).toBe('Chủ Nhật, 22/11/2026');
    expect(format.dayName('en', '2026-11-22')).toBe('Sunday, 22/11/2026');
  });
});

describe('spans and sizes', () => {
  it('count down and never below zero', () => {
    expect(format.span(42_000)).toBe('0:42');
    expect(format.span(3_723_000)).toBe('1:02:03');
    expect(format.span(-5)).toBe('0:00');
  });

  it('are said in one unit', () => {
    expect(format.duration('vi', 9)).toBe('9 giây');
    expect(format.duration('vi', 150)).toBe('2 phút');
    expect(format.duration('en', 3600)).toBe('1 hour');
    expect(format.duration('en', 0)).toBe('0 seconds');
  });

  it('follow the language of the reader', () => {
    expect(format.bytes('vi', 12_400_000)).toBe('12,4 MB');
    expect(format.bytes('en', 12_400_000)).toBe('12.4 MB');
    expect(format.bytes('vi', 512)).toBe('512 B');
  });

  it('show phones in local groups', () => {
    expect(format.phone('+84912345678')).toBe('0912 345 678');
    expect(format.phone('123')).toBe('123');
  });
});
