/** One template while it is edited: its texts, what is unsaved, and what a buyer would read. */
import { untrack } from 'svelte';

import { asProblem, type ApiProblem } from '../api/problem';
import { mails } from '../api/mails';
import type { MailPreview, MailTemplate, MailTexts } from '../api/types';

export type Part = 'subject' | 'text' | 'html';
/** How long typing rests before the preview follows. */
export const REST_MS = 250;

export class TemplateDraft {
  texts = $state<Record<string, string>>({});
  saved = $state.raw<MailTemplate>();
  /** What the texts say; a part with a mistake keeps what it said before. */
  preview = $state.raw<MailPreview>();
  problem = $state.raw<ApiProblem>();
  previewProblem = $state.raw<ApiProblem>();
  busy = $state(false);
  /** Code of the order that the preview is about; empty = the example. */
  order = $state('');

  #turn = 0;

  constructor(
    readonly name: string,
    readonly lang: string,
    answer: () => MailTemplate | undefined,
  ) {
    $effect(() => {
      const next = answer();
      untrack(() => {
        if (next && !this.dirty) this.follow(next);
      });
    });
    $effect(() => {
      if (!this.saved) return;
      const [texts, order] = [this.changed(), this.order];
      const timer = setTimeout(() => void this.#look(texts, order), this.preview ? REST_MS : 0);
      return () => clearTimeout(timer);
    });
  }

  /** Takes over what the core has; what was typed is gone. */
  follow(next: MailTemplate): void {
    this.saved = next;
    this.texts = Object.fromEntries(next.parts.map((part) => [part.part, part.text]));
  }

  /** The parts that differ from what is saved. */
  changed(): MailTexts {
    const parts = this.saved?.parts ?? [];
    return Object.fromEntries(
      parts
        .filter((part) => this.texts[part.part] !== part.text)
        .map((part) => [part.part, this.texts[part.part]]),
    );
  }

  get dirty(): boolean {
    return Object.keys(this.changed()).length > 0;
  }

  /** Whether the core has words of the owner's for this template. */
  get own(): boolean {
    return this.saved?.parts.some((part) => part.own) ?? false;
  }

  get mistakes(): MailTemplate['mistakes'] {
    return this.preview?.mistakes ?? this.saved?.mistakes ?? [];
  }

  /** Answers whether it was saved. */
  async save(): Promise<boolean> {
    if (!this.saved) return false;
    const sent = { texts: this.changed(), version: this.saved.version };
    return this.#do(() => mails.save(this.name, this.lang, sent));
  }

  async reset(): Promise<boolean> {
    return this.#do(() => mails.reset(this.name, this.lang));
  }

  /** Opens it again as the core has it now. */
  async reopen(): Promise<boolean> {
    return this.#do(() => mails.open(this.name, this.lang));
  }

  discard(): void {
    if (this.saved) this.follow(this.saved);
  }

  async #do(action: () => Promise<MailTemplate>): Promise<boolean> {
    this.busy = true;
    this.problem = undefined;
    try {
      this.follow(await action());
      return true;
    } catch (error) {
      this.problem = asProblem(error);
      return false;
    } finally {
      this.busy = false;
    }
  }

  async #look(texts: MailTexts, order: string): Promise<void> {
    const turn = (this.#turn += 1);
    try {
      const seen = await mails.preview(this.name, this.lang, { texts, order });
      if (turn !== this.#turn) return;
      const before = this.preview;
      this.preview = {
        subject: seen.subject ?? before?.subject ?? null,
        text: seen.text ?? before?.text ?? null,
        html: seen.html ?? before?.html ?? null,
        mistakes: seen.mistakes,
      };
      this.previewProblem = undefined;
    } catch (error) {
      if (turn === this.#turn) this.previewProblem = asProblem(error);
    }
  }
}
