/** Which of the shell's layers are open. */
class ShellUi {
  palette = $state(false);
  notices = $state(false);
  help = $state(false);
  create = $state(false);

  /** Clears the way to the page, e.g. when a notification leads to one. */
  closeAll(): void {
    this.palette = false;
    this.notices = false;
    this.help = false;
    this.create = false;
  }
}

export const shellUi = new ShellUi();
