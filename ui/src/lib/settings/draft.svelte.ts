/** A section of the settings while the owner edits it: follows the core until he touches it. */
import { untrack } from 'svelte';

import { api } from '../api/api';
import { asProblem, type ApiProblem } from '../api/problem';
import type { Settings } from '../api/types';
import { t } from '../i18n/index.svelte';
import { live } from '../live/live.svelte';
import { toast } from '../ui/toast.svelte';

export class Draft<T extends object> {
  v: T;
  busy = $state(false);
  problem = $state.raw<ApiProblem>();

  #saved: string;
  #given: () => T;

  constructor(given: () => T) {
    this.#given = given;
    this.v = $state({ ...given() });
    this.#saved = JSON.stringify(given());
    $effect(() => {
      const next = given();
      untrack(() => {
        if (!this.dirty) this.#follow(next);
      });
    });
  }

  get dirty(): boolean {
    return JSON.stringify(this.v) !== this.#saved;
  }

  reset(): void {
    this.problem = undefined;
    this.#follow(this.#given());
  }

  /** Saves the section; the answer carries the settings as they are now. */
  async save(section: string, took: (settings: Settings) => void): Promise<void> {
    this.busy = true;
    this.problem = undefined;
    try {
      const sent = JSON.stringify(this.v);
      const settings = await api.saveSection(section, JSON.parse(sent));
      this.#saved = sent;
      took(settings);
      toast.ok(t('settings.saved'));
      live.touch(['settings']);
    } catch (error) {
      this.problem = asProblem(error);
    } finally {
      this.busy = false;
    }
  }

  #follow(next: T): void {
    this.v = { ...next };
    this.#saved = JSON.stringify(this.v);
  }
}
