/** Which of the shell's layers are open. */
class ShellUi {
  palette = $state(false);
  notices = $state(false);
  help = $state(false);
  create = $state(false);
}

export const shellUi = new ShellUi();
