/** What the owner does with the words of mails. */
import { del, get, post, put } from './api';
import type * as T from './types';

const at = (name: string, lang: string): string =>
  `mail-templates/${encodeURIComponent(name)}/${encodeURIComponent(lang)}`;

export const mails = {
  open: (name: string, lang: string) => get<T.MailTemplate>(at(name, lang)),
  save: (name: string, lang: string, edit: { texts: T.MailTexts; version: string }) =>
    put<T.MailTemplate>(at(name, lang), edit),
  reset: (name: string, lang: string) => del<T.MailTemplate>(at(name, lang)),
  preview: (name: string, lang: string, wanted: { texts: T.MailTexts; order: string }) =>
    post<T.MailPreview>(`${at(name, lang)}/preview`, wanted),
  sendTest: (name: string, lang: string, wanted: { to: string; texts: T.MailTexts; order: string }) =>
    post<unknown>(`${at(name, lang)}/test`, wanted),
};
