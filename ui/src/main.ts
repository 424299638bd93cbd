/** Start: first the safety net, then the door to the core, then the app. */
import './fonts.css';
import './tokens.css';
import './base.css';

import { mount } from 'svelte';

import { guardBoot } from './boot';
import { useTransport } from './lib/api/api';
import type { Transport } from './lib/api/transport';

async function chooseTransport(): Promise<Transport> {
  const mocked = import.meta.env.MODE === 'mock' || (import.meta.env.DEV && location.search.includes('mock'));
  // A constant in production builds, so the sample data is left out of them.
  if ((import.meta.env.DEV || import.meta.env.MODE === 'mock') && mocked) {
    return (await import('./lib/api/mock/transport')).mockTransport(new URLSearchParams(location.search));
  }
  if (window.__TAURI_INTERNALS__) return (await import('./lib/api/tauri')).tauriTransport();
  return (await import('./lib/api/http')).httpTransport();
}

const started = guardBoot();
useTransport(await chooseTransport());
const { default: App } = await import('./App.svelte');
const target = document.getElementById('app');
if (target) {
  mount(App, { target });
  started();
}
