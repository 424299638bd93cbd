/// <reference types="svelte" />
/// <reference types="vite/client" />

interface Window {
  /** Present inside the desktop window. */
  __TAURI_INTERNALS__?: unknown;
}
