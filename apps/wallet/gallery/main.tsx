/** Mounts one screen at a time: `gallery.html#name/language`, or `window.gallery.show(name, language)` for the browser tests. */

import { render } from 'preact';
import type { Actions, Language } from '../src/app/model.ts';
import { Wallet } from '../src/screens/index.tsx';
import { loadMore } from '../src/screens/later.ts';
import { load } from '../src/texts/index.ts';
import { SCREENS } from './screens.ts';

const root = document.getElementById('wallet');
/** Names of the actions pressed since the screen was shown. */
let pressed: string[] = [];
const act = new Proxy({} as Actions, {
  get: (_, name: string) => (...given: unknown[]) => void pressed.push([name, ...given.map((one) => JSON.stringify(one))].join(' ')),
});

async function show(name: string, language: Language): Promise<void> {
  const state = SCREENS[name];
  if (!root || !state) return;
  const [t] = await Promise.all([load(language), loadMore(language)]);
  render(null, root);
  pressed = [];
  render(<Wallet state={{ ...state, language }} act={act} t={t} />, root);
}

/** The next state of the same page, as the shell would set it: nothing is mounted anew. */
async function follow(name: string, language: Language): Promise<void> {
  const state = SCREENS[name];
  if (root && state) render(<Wallet state={{ ...state, language }} act={act} t={await load(language)} />, root);
}

function fromAddress(): void {
  const [name, language] = decodeURIComponent(location.hash.slice(1)).split('/');
  void show(name || 'start', (language || 'de') as Language);
}

Object.assign(window, { gallery: { names: Object.keys(SCREENS), show, follow, pressed: () => pressed } });
addEventListener('hashchange', fromAddress);
fromAddress();
