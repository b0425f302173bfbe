import { render } from 'preact';
import { begin } from './app/begin.ts';
import { Wallet } from './screens/index.tsx';

const root = document.getElementById('wallet');
if (root) await begin((props) => render(<Wallet {...props} />, root));
