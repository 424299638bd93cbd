/** Light, dark, or as the system says; a class on the document, so that switching needs no reload. */
import { store } from './store';

export type Theme = 'auto' | 'light' | 'dark';
const KEY = 'chotdon.theme';

class ThemeChoice {
  choice = $state<Theme>(read());

  start(): void {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.apply());
    this.apply();
  }

  set(choice: Theme): void {
    this.choice = choice;
    store.write(KEY, choice);
    this.apply();
  }

  get dark(): boolean {
    return (
      this.choice === 'dark' || (this.choice === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)
    );
  }

  apply(): void {
    document.documentElement.classList.toggle('dark', this.dark);
  }
}

function read(): Theme {
  const kept = store.read(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'auto';
}

export const theme = new ThemeChoice();
