/** Whether somebody may look: over HTTP a 401 asks for the token; the desktop window never does. */
import { api, onLoginRequired } from './api/api';
import { live } from './live/live.svelte';

class Session {
  needsLogin = $state(false);

  start(): void {
    onLoginRequired(() => {
      this.needsLogin = true;
      live.stop();
    });
    live.start();
  }

  /** # Errors: an `ApiProblem` when the token is wrong or nobody answers. */
  async login(token: string): Promise<void> {
    await api.login(token);
    this.needsLogin = false;
    live.start();
  }

  async logout(): Promise<void> {
    await api.logout();
    this.needsLogin = true;
    live.stop();
  }
}

export const session = new Session();
