/**
 * Binding this browser's own key, or a passkey, in a login that her card answered. With a PIN the key is kept only wrapped.
 *
 * Where no answer came back nobody knows whether the device is bound. A key is made anew and takes the place of the one before; a passkey was made
 * already, so what was sent is kept and sent again as it was, which means the same a second time.
 */

import * as base64url from '../core/base64url.ts';
import { Binding, keep } from '../core/binding.ts';
import { PasskeyBinding } from '../core/passkey-binding.ts';
import { members, text } from '../core/shape.ts';
import type { Want } from '../core/types.ts';
import { PLAIN, type KeptDevice } from '../storage/device.ts';
import { passkeyTrouble, sealed, shown } from './answer.ts';
import { wrapWithNew } from './app-pin.ts';
import type { DeviceClass, Enrolment } from './model.ts';
import { Trouble, problemOf } from './problem.ts';
import type { Run } from './run.ts';
import type { Tools } from './tools.ts';

/** The class of a key in a browser: the one nothing has to be shown for. The weakest, where there are several. */
export function browserClass(classes: DeviceClass[]): DeviceClass | undefined {
  const open = classes.filter((one) => one.evidence === 'claimed');
  return open.find((one) => one.name === 'software') ?? open.sort((a, b) => a.reconfirm_after_seconds - b.reconfirm_after_seconds)[0];
}

export type Wish = Pick<Enrolment, 'name' | 'kind' | 'consentToSubstantial'>;

/** What is kept of a passkey. */
type Made = Pick<KeptDevice, 'credential' | 'wraps'>;

/**
 * The device is bound and kept. `pin`: the app's PIN, set with the same login; until it is set the key is in memory only, so a tab closed between
 * the two leaves an entry at the insurer that the next binding replaces.
 */
export async function bind(tools: Tools, run: Run, wish: Wish, pin: string | null): Promise<void> {
  const { store, kept, key, now } = tools;
  const { kind, name, consentToSubstantial: consent_to_substantial } = wish;
  const found = browserClass(store.state.config.device_classes);
  if (!found && kind === 'device-key') throw new Trouble('attestation-refused');
  const begun =
    kind === 'passkey' || !found
      ? PasskeyBinding.begin(run.login, { name, consent_to_substantial })
      : await Binding.begin(run.login, { name, class: found.name, consent_to_substantial, hardware: base64url.encode(await kept.mark()) });
  const [record, passkey] = await bound(tools, begun, name, pin !== null);
  const wrapped = pin === null ? null : await wrapWithNew(tools, sealed(run), record.device, pin, key.made());
  await keepDevice(tools, { ...PLAIN, ...record, kind, ...passkey, wrapped, bound_at: now() });
}

/** Sends once more what was not answered; the card's login it was sent in. */
export async function bindAgain(tools: Tools): Promise<string> {
  const { provider, kept, now } = tools;
  const sent = await kept.sent();
  if (!sent) throw new Trouble('card-login-needed');
  const { send, name, credential, wraps } = sent;
  let want: Want;
  try {
    want = keep(await provider.send(send), provider.issuer, name);
  } catch (error) {
    throw Trouble.of(problemOf(error, provider.refused));
  }
  if (want.want !== 'keep') throw new Trouble('unexpected');
  await keepDevice(tools, { ...PLAIN, ...want, kind: 'passkey', credential, wraps, bound_at: now() });
  return text(members(send.body)?.['login']) ?? '';
}

async function keepDevice({ store, kept, key }: Tools, device: KeptDevice): Promise<void> {
  // What was seen before was kept for another key.
  await kept.dropSnapshot();
  store.set({ snapshot: null });
  await key.keep(device);
  store.set({ device: shown(device) });
}

/** The key or passkey is made, its proof sent, and the provider's word for it read; and the passkey's identifier. */
async function bound(
  { key, kept, provider, passkeys, now }: Tools,
  [binding, first]: [Binding | PasskeyBinding, Want],
  label: string,
  mayLeave: boolean,
): Promise<[Extract<Want, { want: 'keep' }>, Made]> {
  let want = first;
  let passkey: Made = { credential: null, wraps: false };
  try {
    for (;;) {
      switch (want.want) {
        case 'make-key':
          want = await binding.tell({ told: 'key-made', ...(await key.make(mayLeave)) });
          break;
        case 'sign-with-new-key':
          want = await binding.tell({ told: 'signed', signature: await key.signWithNew(want.message) });
          break;
        case 'make-passkey': {
          const { made, prf } = await passkeys.create(want.options, { label });
          passkey = { credential: made.credential_id, wraps: prf };
          want = await binding.tell({ told: 'passkey-made', ...made });
          break;
        }
        case 'send':
          if (passkey.credential !== null) await kept.keepSent({ at: now(), send: want, name: label, ...passkey });
          want = await binding.tell(await provider.send(want));
          break;
        case 'keep':
          return [want, passkey];
        default:
          throw new Trouble('unexpected');
      }
    }
  } catch (error) {
    throw Trouble.of(problemOf(passkeyTrouble(error), provider.refused));
  }
}
