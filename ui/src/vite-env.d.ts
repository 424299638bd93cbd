/// <reference types="svelte" />
/// <reference types="vite/client" />

/** Whether this bundle holds the sample data of `lib/api/mock`. */
declare const __SAMPLE_DATA__: boolean;

interface Window {
  /** Present inside the desktop window. */
  __TAURI_INTERNALS__?: unknown;
}
