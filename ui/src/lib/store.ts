/** Small remembered choices (language, theme, token-free). A browser that refuses storage simply forgets them. */
export const store = {
  read(key: string): string | null {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  write(key: string, value: string): void {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Private mode: the choice lasts until the window closes.
    }
  },
};
