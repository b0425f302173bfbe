/**
 * Enrolment by health card: what has to be known first, a name, the card, and then this browser's own key at the insurer. Every step but the
 * card is kept; the card's login lives ten minutes and is begun anew when it is needed.
 */

import * as base64url from '../core/base64url.ts';
import { Binding } from '../core/binding.ts';
import { PasskeyBinding } from '../core/passkey-binding.ts';
import type { Want } from '../core/types.ts';
import { account, passkeyTrouble, sealed, shown, type CardAnswer } from './answer.ts';
import type { CardSteps } from './card-step.ts';
import type { DeviceClass, Enrolment, Problem } from './model.ts';
import { Trouble, problemOf } from './problem.ts';
import type { KeptDevice } from '../storage/device.ts';
import type { Tools } from './tools.ts';

/** Longest name the provider takes. */
const MAX_NAME_CHARACTERS = 64;

/** The class of a key in a browser: the one nothing has to be shown for. The weakest, where there are several. */
export function browserClass(classes: DeviceClass[]): DeviceClass | undefined {
  const open = classes.filter((one) => one.evidence === 'claimed');
  return open.find((one) => one.name === 'software') ?? open.sort((a, b) => a.reconfirm_after_seconds - b.reconfirm_after_seconds)[0];
}

/** What is kept of a passkey. */
type Made = Pick<KeptDevice, 'credential' | 'wraps'>;

export class Enrolling {
  constructor(
    private readonly tools: Tools,
    private readonly cards: CardSteps,
    /** Called with the card's login once the device is bound: the account can be shown without another card. */
    private readonly done: (login: string) => Promise<void>,
  ) {}

  begin(suggestedName: string): void {
    const { store, now } = this.tools;
    const begun: Enrolment = {
      step: 'prepare',
      name: suggestedName,
      kind: 'device-key',
      consentToSubstantial: false,
      startedAt: now(),
      resumed: false,
      problem: null,
    };
    const { enrolment } = store.state;
    this.#keep(enrolment && enrolment.step !== 'bound' ? enrolment : begun);
  }

  set(wish: Partial<Pick<Enrolment, 'name' | 'kind' | 'consentToSubstantial'>>): void {
    const { enrolment } = this.tools.store.state;
    if (!enrolment || enrolment.step !== 'name') return;
    this.#keep({ ...enrolment, ...wish, problem: null });
  }

  next(): void {
    const { enrolment } = this.tools.store.state;
    if (enrolment?.step === 'prepare') return this.#keep({ ...enrolment, step: 'name', resumed: false });
    if (enrolment?.step !== 'name' || !enrolment.name.trim() || !enrolment.consentToSubstantial) return;
    this.#keep({ ...enrolment, name: enrolment.name.trim().slice(0, MAX_NAME_CHARACTERS), step: 'card', problem: null, resumed: false });
    const open = () =>
      this.cards.open('enrol', {
        use: (answer) => this.#bind(answer),
        failed: (problem) => this.#failed(problem),
        cancelled: () => this.#change({ step: 'name' }),
      });
    void this.tools.store.run('card', open, (problem) => this.#change({ step: 'name', problem }));
  }

  back(): void {
    const { store } = this.tools;
    if (store.state.busy) return;
    const step = store.state.enrolment?.step;
    if (step === 'card') this.cards.cancel();
    else if (step === 'name') this.#change({ step: 'prepare' });
    else this.drop();
  }

  drop(): void {
    const { store, kept } = this.tools;
    if (store.state.busy) return;
    if (store.state.card?.purpose === 'enrol') this.cards.close();
    store.set({ enrolment: null });
    void kept.dropEnrolment().catch((error: unknown) => store.set({ problem: problemOf(error) }));
  }

  async #bind(answer: CardAnswer): Promise<void> {
    const { store, kept, key, now } = this.tools;
    const { enrolment, config } = store.state;
    const found = browserClass(config.device_classes);
    if (!enrolment) throw new Trouble('unexpected');
    const { kind, name, consentToSubstantial: consent_to_substantial } = enrolment;
    if (!found && kind === 'device-key') throw new Trouble('attestation-refused');
    const run = await account(this.tools, answer);
    this.#change({ step: 'binding' });
    const begun =
      kind === 'passkey' || !found
        ? PasskeyBinding.begin(run.login, { name, consent_to_substantial })
        : await Binding.begin(run.login, { name, class: found.name, consent_to_substantial, hardware: base64url.encode(await kept.mark()) });
    const [record, passkey] = await this.#bound(begun, name);
    const device = { ...record, kind, ...passkey, bound_at: now() };
    // What was seen before was kept for another key.
    await kept.dropSnapshot();
    store.set({ snapshot: null });
    await key.keep(device);
    await kept.dropEnrolment();
    store.set({ device: shown(device), enrolment: { ...enrolment, step: 'bound', problem: null, resumed: false } });
    await this.done(sealed(run));
  }

  /** The key or passkey is made, its proof sent, and the provider's word for it read; and the passkey's identifier. */
  async #bound([binding, first]: [Binding | PasskeyBinding, Want], label: string): Promise<[Extract<Want, { want: 'keep' }>, Made]> {
    const { key, provider, passkeys } = this.tools;
    let want = first;
    let passkey: Made = { credential: null, wraps: false };
    try {
      for (;;) {
        switch (want.want) {
          case 'make-key':
            want = await binding.tell({ told: 'key-made', ...(await key.make()) });
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

  /** What the card or its PIN is about stays in the card step; everything else is said where the name stands, and what was typed is there. */
  #failed(problem: Problem): boolean {
    const isTheCards = /^(card|pin|puk)-|^reader-|^no-card-reader$/.test(problem.reason) && problem.reason !== 'card-login-needed';
    this.#change(isTheCards ? { step: 'card' } : { step: 'name', problem });
    return !isTheCards;
  }

  #keep(enrolment: Enrolment): void {
    const { store, kept } = this.tools;
    store.set({ enrolment });
    kept.keepEnrolment(enrolment).catch((error: unknown) => store.set({ problem: problemOf(error) }));
  }

  #change(change: Partial<Enrolment>): void {
    const { store } = this.tools;
    if (store.state.enrolment) store.set({ enrolment: { ...store.state.enrolment, ...change } });
  }
}
