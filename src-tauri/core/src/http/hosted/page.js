(() => {
  const main = () => document.querySelector('main');
  const said = document.getElementById('said');
  const later = (ms) => new Promise((done) => setTimeout(done, ms));
  document.documentElement.classList.add('js');

  // The page as the server has it now takes the place of a part of this one.
  const swap = async (part) => {
    const answer = await fetch(location.href, { cache: 'no-store' });
    if (!answer.ok) throw new Error(answer.status);
    // Its style has a nonce of its own, which this page's policy refuses; ours is the same.
    const text = (await answer.text()).replace(/<style[^]*?<\/style>/, '');
    const fresh = new DOMParser().parseFromString(text, 'text/html');
    const [now, next] = [document.querySelector(part), fresh.querySelector(part)];
    if (!now || !next) return;
    const focused = document.activeElement?.id;
    now.replaceWith(next);
    if (focused) document.getElementById(focused)?.focus();
    document.title = fresh.title;
    const head = main().dataset.say;
    if (part === 'main' && said.textContent !== head) said.textContent = head;
    tick();
  };
  const go = (url, part) => {
    history.replaceState(null, '', url);
    return swap(part).catch(() => location.assign(url));
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement('textarea');
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
  };
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-copy]');
    if (button) {
      await copy(button.dataset.copy);
      button.focus();
      const label = button.querySelector('span');
      label.textContent = button.dataset.done;
      button.classList.add('copied');
      said.textContent = `${button.dataset.done}: ${button.dataset.copy}`;
      await later(2000);
      label.textContent = button.dataset.label;
      button.classList.remove('copied');
    }
    const link = event.target.closest('a[data-swap]');
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      await go(link.href, 'main');
    }
  });
  const asked = (form) => `?${new URLSearchParams(new FormData(form))}`;
  document.addEventListener('submit', (event) => {
    event.preventDefault();
    go(asked(event.target), 'main');
  });
  let typing = 0;
  document.addEventListener('input', async (event) => {
    const turn = ++typing;
    await later(400);
    if (turn === typing && event.target.form) go(asked(event.target.form), '#money');
  });

  let end = null;
  const tick = () => {
    const left = document.querySelector('[data-left]');
    if (!left) return;
    if (left.dataset.end === undefined) {
      end = performance.now() + Number(left.dataset.left) * 1000;
      left.dataset.end = '';
    }
    const seconds = Math.max(0, Math.floor((end - performance.now()) / 1000));
    const two = (n) => String(n).padStart(2, '0');
    const hours = Math.floor(seconds / 3600);
    const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    left.textContent = hours ? `${hours}:${clock}` : clock;
  };
  tick();
  setInterval(tick, 1000);

  const live = async () => {
    let pause = 0;
    while (main().dataset.live) {
      const { live: url, v } = main().dataset;
      const asked = performance.now();
      try {
        const answer = await fetch(`${url}&v=${v}`, { cache: 'no-store' });
        if (answer.status === 404) return;
        if (!answer.ok) throw new Error(answer.status);
        const changed = (await answer.json()).v !== v;
        if (changed) await swap('main');
        pause = !changed && performance.now() - asked < 1000 ? 5000 : 0;
      } catch {
        pause = Math.min(Math.max(pause, 1000) * 2, 30000);
      }
      await later(pause);
    }
  };
  live();
})();
