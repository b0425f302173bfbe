// The frame that says how long a login still lives. Without this script it fetches itself again every thirty seconds. With it, the words change
// in their place: whoever reads, listens or types is not disturbed, and the warning is announced when the one who listens pauses.
'use strict';
{
  const ASK_SECONDS = 15;
  const part = (page, id) => page.querySelector(`#${id}`);

  const ask = async () => {
    const main = document.querySelector('main');
    try {
      const answer = await fetch(location.href, { cache: 'no-store' });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const fresh = answer.ok && page.querySelector('main[data-state]');
      if (fresh) {
        const [left, now] = [part(document, 'left'), part(fresh, 'left')];
        if (left && now) left.textContent = now.textContent;
        else left?.remove();
        if (fresh.dataset.state !== main.dataset.state) {
          main.dataset.state = fresh.dataset.state;
          part(document, 'warning').replaceChildren(...part(fresh, 'warning').childNodes);
          if (fresh.dataset.state === 'over') document.querySelector('.button-row')?.remove();
        }
      }
    } catch {
      // No network: asked again.
    }
    if (main.dataset.state !== 'over') setTimeout(ask, ASK_SECONDS * 1000);
  };

  setTimeout(ask, ASK_SECONDS * 1000);
}
