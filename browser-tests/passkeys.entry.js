// What a page does with the wallet's core and its passkey functions: the loop an app writes, and nothing else. Bundled by passkeys.test.js.

import { Login } from '../apps/wallet/src/core/login.ts';
import { PasskeyBinding } from '../apps/wallet/src/core/passkey-binding.ts';
import * as passkey from '../apps/wallet/src/passkey/index.ts';

export { passkey };

/** Where this page's provider is: its issuer, and the address pages reach it at. */
let place;
const tell = (machine, told) => machine.tell(told, Math.floor(Date.now() / 1000));

async function perform(want, kept) {
  switch (want.want) {
    case 'send': {
      const answer = await fetch(want.url.replace(place.issuer, place.base), {
        method: want.method,
        headers: want.body ? { 'content-type': 'application/json' } : {},
        body: want.body ? JSON.stringify(want.body) : null,
      });
      return { told: 'answer', status: answer.status, body: await answer.text() };
    }
    case 'choose':
      return { told: kept.with };
    case 'sign-with-card':
      return { told: 'card-answered', response: await window.signWithCard(want.challenge) };
    case 'sign-with-passkey': {
      kept.got = await passkey.get(want.challenge);
      kept.challenge = want.challenge;
      return { told: 'passkey-answered', ...kept.got.answer };
    }
    case 'make-passkey': {
      kept.options = want.options;
      kept.created = await passkey.create(want.options, { label: 'Lena' });
      return { told: 'passkey-made', ...kept.created.made };
    }
    case 'decide':
      return { told: 'approve', voluntary: want.voluntary, remember: false };
    default:
      throw new Error(`nothing to do for ${want.want}`);
  }
}

async function until(end, [machine, first], kept) {
  let want = first;
  while (want.want !== end) want = await tell(machine, await perform(want, kept));
  return want;
}

/** What came of it, or why nothing did. */
async function outcome(kept, act) {
  const told = () => ({ options: kept.options, made: kept.created?.made, prf: kept.created?.prf, answer: kept.got?.answer, challenge: kept.challenge });
  try {
    return { ...(await act()), ...told() };
  } catch (error) {
    return { failed: error.reason ?? error.code ?? String(error), ...told() };
  }
}

/** Binds a passkey after a card login to the account. */
export function register(at) {
  place = at;
  const kept = { with: 'with-card' };
  return outcome(kept, async () => {
    const login = Login.account(at.issuer);
    await until('decide', login, kept);
    return { kept: await until('keep', PasskeyBinding.begin(login[0], { name: 'Lena', consent_to_substantial: true }), kept) };
  });
}

/** Enters the account with a passkey. */
export function enter(at) {
  place = at;
  const kept = { with: 'with-passkey' };
  return outcome(kept, async () => {
    const login = Login.account(at.issuer);
    await until('decide', login, kept);
    globalThis.storageKey = kept.got.key;
    return { login: login[0].answered.login };
  });
}

/** Logs in to a service with a passkey, up to the address that leads back. */
export function logIn(at, clientId, sealed) {
  place = at;
  const kept = { with: 'with-passkey' };
  return outcome(kept, async () => ({ back: (await until('go-back', Login.resume(at.issuer, clientId, sealed), kept)).address }));
}
