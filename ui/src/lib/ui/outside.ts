/** Opens a web address in the owner's browser; a refusal becomes a toast. */
import { api } from '../api/api';
import { attempt } from './toast.svelte';

export function openOutside(url: string): void {
  void attempt(() => api.openExternal(url));
}
