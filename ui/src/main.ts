/** Start: first the safety net, then the door to the core, then the app. */
import './fonts.css';
import './tokens.css';
import './base.css';

import { mount } from 'svelte';

import { guardBoot } from './boot';
import { useTransport } from './lib/api/api';
import type { Transport } from './lib/api/transport';

async function chooseTransport(): Promise<Transport> {
  if (__SAMPLE_DATA__ && (import.meta.env.MODE === 'mock' || location.search.includes('mock'))) {
    return (await import('./lib/api/mock/transport')).mockTransport(new URLSearchParams(location.search));
  }
  if (window.__TAURI_INTERNALS__) return (await import('./lib/api/tauri')).tauriTransport();
  return (await import('./lib/api/http')).httpTransport();
}

const started = guardBoot();
const unlocking = window.__TAURI_INTERNALS__ !== undefined && location.hash === '#/unlock';
if (!unlocking) useTransport(await chooseTransport());
// Before the shop runs there is nobody to ask but the app itself.
// Each import whole, so that the bundler brings its styles along.
const { default: App } = unlocking ? await import('./pages/Unlock.svelte') : await import('./App.svelte');
const target = document.getElementById('app');
if (target) {
  mount(App, { target });
  started();
}
