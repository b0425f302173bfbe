// The part of the login page that waits for a phone. Without this script the frame fetches itself again every twenty seconds; with it, what is
// shown changes only when there is something new, and the way back to the service is taken at once.
'use strict';
{
  const ASK_SECONDS = 3;
  const SHOWN_SECONDS = 20;
  let shownAt = Date.now();

  const main = () => document.querySelector('main');

  const goOn = () => {
    const form = main().dataset.state === 'approved' && main().querySelector('form');
    if (form) form.requestSubmit();
  };

  const ask = async () => {
    if (main().dataset.state !== 'waiting') return;
    try {
      const answer = await fetch(location.href, { cache: 'no-store' });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const fresh = page.querySelector('main');
      const isNew = fresh && fresh.dataset.state !== main().dataset.state;
      if (isNew || (fresh && Date.now() - shownAt >= SHOWN_SECONDS * 1000)) {
        const code = fresh.querySelector('.code');
        // Only the picture: nobody who reads or listens is taken from the line.
        if (!isNew && code && main().querySelector('.code')) main().querySelector('.code').replaceWith(code);
        else {
          const keep = main().querySelector('[name=keep_phone]');
          main().dataset.state = fresh.dataset.state;
          main().replaceChildren(...fresh.childNodes);
          // What she ticked while she waited goes with her.
          const again = main().querySelector('[name=keep_phone]');
          if (keep && again) again.checked = keep.checked;
        }
        shownAt = Date.now();
      }
    } catch {
      // No network: asked again.
    }
    goOn();
    setTimeout(ask, ASK_SECONDS * 1000);
  };

  goOn();
  setTimeout(ask, ASK_SECONDS * 1000);
}
