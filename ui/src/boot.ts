/** A start that fails shows why instead of a white page. Depends on nothing that could itself fail. */

/** Watches for errors until the returned function says that the app stands. */
export function guardBoot(): () => void {
  const screen = document.getElementById('boot');
  const onError = (event: ErrorEvent): void => fail(event.message);
  const onRejection = (event: PromiseRejectionEvent): void => fail(String(event.reason));
  window.addEventListener('error', onError);
  window.addEventListener('unhandledrejection', onRejection);

  function fail(detail: string): void {
    if (!screen) return;
    screen.replaceChildren();
    screen.setAttribute('role', 'alert');
    const title = document.createElement('h1');
    title.textContent = 'ChotDon chưa mở được giao diện · The window could not start';
    const text = document.createElement('p');
    text.textContent =
      'Shop vẫn nhận thanh toán. Bấm Thử lại; nếu vẫn lỗi, gửi dòng bên dưới cho người hỗ trợ. · ' +
      'Payments are still received. Press Retry; if it fails again, send the line below to support.';
    const lines = document.createElement('pre');
    lines.textContent = detail;
    const again = document.createElement('button');
    again.className = 'b primary';
    again.textContent = 'Thử lại · Retry';
    again.addEventListener('click', () => location.reload());
    screen.append(title, text, lines, again);
  }

  return () => {
    window.removeEventListener('error', onError);
    window.removeEventListener('unhandledrejection', onRejection);
    screen?.remove();
  };
}
