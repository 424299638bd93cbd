/** Sample mail templates, tried out by the crudest of engines. */
import type * as T from '../types';
import { MockProblem } from './problem';
import type { Variant } from './shop';

const HTML = `{% extends "_frame" %}
{% block body %}
<p style="margin:0 0 20px">Cảm ơn bạn đã mua hàng ở {{ shop_name }}. Đơn <b>{{ order_code }}</b> đã sẵn sàng, bạn bấm vào đường dẫn bên dưới để tải khoá học về nhé:</p>
{% include "_items" %}
{% endblock %}
{% block farewell %}Chúc bạn học vui!<br>{% endblock %}
`;
const TEXT = `{% extends "_frame" %}
{% block body %}
Cảm ơn bạn đã mua hàng ở {{ shop_name }}. Đơn {{ order_code }} đã sẵn sàng, bạn bấm vào đường dẫn bên dưới để tải khoá học về nhé:

{% include "_items" %}
{% endblock %}
`;
const SAYS: Record<string, string> = {
  shop_name: 'Khoá học An',
  customer_name: 'Trần Thị Lan',
  order_code: 'DH123456',
};

const NAMES = [
  'delivered',
  'new_version',
  'on_its_way',
  'topup',
  'surplus',
  'refund',
  '_frame',
  '_items',
] as const;

function variables(): T.MailTemplate['variables'] {
  const names = Object.entries(SAYS).map(([name, example]) => ({ name, example, insert: `{{ ${name} }}` }));
  return [...names, { name: 'items', example: '× 2', insert: '{% include "_items" %}' }];
}

function mistakes(file: string, text: string): T.MailMistake[] {
  return text.split('\n').flatMap((line, i) =>
    [...line.matchAll(/\{\{ *(\w+) *\}\}/g)]
      .map((found) => found[1] ?? '')
      .filter((name) => !(name in SAYS))
      .map((name) => ({
        file,
        part: file.split('.')[2] ?? '',
        line: i + 1,
        code: 'unknown_name',
        name,
        what: `undefined value: ${name}`,
      })),
  );
}

function say(text: string): string {
  return text
    .replace(/\{\{ *(\w+) *\}\}/g, (_, name: string) => SAYS[name] ?? '')
    .replace(/\{%.*?%\}\n?/g, '');
}

export class MockMails {
  #own: Record<string, string> = {};

  constructor(variant: Variant) {
    if (variant === 'full') this.#own['delivered.vi.subject'] = 'Xong rồi nhé, đơn {{ order_code }}\n';
    if (variant === 'broken')
      this.#own['delivered.vi.html'] = HTML.replace('{{ shop_name }}', '\n{{ ten_shop }}');
  }

  list(): T.Page<T.MailTemplateRow> {
    const rows = ['vi', 'en'].flatMap((lang) =>
      NAMES.map((name) => {
        const one = this.one(name, lang);
        return {
          name,
          lang,
          parts: one.parts.map((part) => part.part),
          own: one.parts.filter((part) => part.own).map((part) => part.part),
          shared: name.startsWith('_'),
          in_use: lang === 'vi',
          mistakes: one.mistakes,
          variables: one.variables,
        };
      }),
    );
    return { rows };
  }

  one(name: string, lang: string): T.MailTemplate {
    if (!(NAMES as readonly string[]).includes(name)) throw new MockProblem(404, 'not_found', name);
    const ours: Record<string, string> = {
      subject: '{{ shop_name }}: khoá học của bạn đã sẵn sàng (đơn {{ order_code }})\n',
      text: TEXT,
      html: HTML,
    };
    const parts = (name.startsWith('_') ? ['text', 'html'] : ['subject', 'text', 'html']).map((part) => {
      const own = this.#own[`${name}.${lang}.${part}`];
      return { part, text: own ?? ours[part] ?? '', own: own !== undefined, built_in: ours[part] ?? '' };
    });
    const wrong = parts.flatMap((part) => mistakes(`${name}.${lang}.${part.part}`, part.text));
    return {
      name,
      lang,
      parts,
      version: JSON.stringify(parts).length.toString(16),
      mistakes: wrong,
      variables: variables(),
    };
  }

  save(name: string, lang: string, texts: T.MailTexts): T.MailTemplate {
    const preview = this.preview(name, lang, texts);
    const [first] = preview.mistakes;
    if (first) throw new MockProblem(400, 'mail_template', `${first.file}:${first.line}: ${first.what}`);
    for (const [part, text] of Object.entries(texts)) this.#own[`${name}.${lang}.${part}`] = text ?? '';
    return this.one(name, lang);
  }

  reset(name: string, lang: string): T.MailTemplate {
    const kept = Object.entries(this.#own).filter(([file]) => !file.startsWith(`${name}.${lang}.`));
    this.#own = Object.fromEntries(kept);
    return this.one(name, lang);
  }

  preview(name: string, lang: string, texts: T.MailTexts): T.MailPreview {
    const now = this.one(name, lang).parts.map((part) => ({
      part: part.part,
      text: texts[part.part as keyof T.MailTexts] ?? part.text,
    }));
    const wrong = now.flatMap((part) => mistakes(`${name}.${lang}.${part.part}`, part.text));
    const seen = (part: string): string | null => {
      if (wrong.some((mistake) => mistake.part === part)) return null;
      return say(now.find((one) => one.part === part)?.text ?? '');
    };
    const body = seen('html');
    const html =
      body === null
        ? null
        : `<!doctype html><html lang="vi"><title>x</title><body style="margin:0;padding:24px;background:#f5f6f8;color:#1c2430;font:16px/1.6 sans-serif"><div style="background:#fff;padding:24px;border-radius:12px"><p>Chào <b>Trần Thị Lan</b>,</p>${body}</div></body></html>`;
    return { subject: seen('subject'), text: seen('text'), html, mistakes: wrong };
  }
}
