import { render } from 'preact';
import { begin } from './app/begin.ts';
import type { Language } from './app/model.ts';
import { Wallet } from './screens/index.tsx';
import { loadMoreWhenIdle } from './screens/later.ts';

const root = document.getElementById('wallet');
if (root) {
  let language: Language = 'de';
  await begin((props) => {
    ({ language } = props.state);
    render(<Wallet {...props} />, root);
  });
  loadMoreWhenIdle(language);
}
