/**
 * Requests of services. One is shown in a tab; each is kept until it is answered or over, so that a closed tab loses nothing: its sealed login
 * is gone on with from the beginning, since who she is was only known to the tab.
 */

import { Login } from '../core/login.ts';
import { ENDING as REFUSED_FOR_GOOD } from '../core/reasons.ts';
import { withCard, withDevice } from './answer.ts';
import type { CardSteps } from './card-step.ts';
import type { KeptRequest } from './kept.ts';
import type * as core from '../core/types.ts';
import type { Service } from '../core/types.ts';
import type { AskedRequest, Choice, OtherDevice, Problem, Reason } from './model.ts';
import type { PinSteps } from './pin-step.ts';
import { Trouble, problemOf } from './problem.ts';
import type { Link } from './route.ts';
import { Run } from './run.ts';
import type { Tools } from './tools.ts';

/** A question this close to its end is asked anew before anything signs for it. */
const MARGIN_SECONDS = 10;

/** After these there is nothing left to answer: begin again at the service. */
const ENDING: ReadonlySet<Reason> = new Set<Reason>([...REFUSED_FOR_GOOD, 'answer-not-genuine', 'link-broken', 'foreign-insurer']);
/** The one that ends a machine and not the login: the same login is asked about anew. */
const ASKED_ANEW: Reason = 'challenge-expired';

/** After these the device does not answer this request; the card does. */
const CARD_ONLY: ReadonlySet<Reason> = new Set<Reason>(['level-too-low', 'device-locked', 'device-blocked', 'device-not-admitted', 'device-cloned']);

function ends(reason: Reason): boolean {
  return ENDING.has(reason) && reason !== ASKED_ANEW;
}

export class Requests {
  #run: Run | undefined;
  #kept: KeptRequest | undefined;

  constructor(
    private readonly tools: Tools,
    private readonly cards: CardSteps,
    private readonly pins: PinSteps,
  ) {}

  /** From a link. Ends in a question, or in a problem of the request. */
  async open(link: Link | null): Promise<void> {
    const { provider, kept, now, alone, store, tab } = this.tools;
    const id = crypto.randomUUID();
    this.#other();
    store.set({ request: loading(id, link?.clientId ?? '') });
    const work = async () => {
      if (!link) throw new Trouble('link-broken');
      if (link.issuer !== provider.issuer) throw new Trouble('foreign-insurer');
      if (this.#kept?.id !== id) {
        const keep = { id, clientId: link.clientId, login: link.login, service: null, startedAt: now() };
        await alone('requests', () => kept.keepRequest(keep));
        this.#kept = keep;
        tab.set(id);
      }
      await this.#ask();
    };
    await store.run('loading-request', work, (problem) => this.#failed(problem, 'loading'));
  }

  /** A PIN that was being asked for was for the request before. */
  #other(): void {
    if (this.tools.store.state.pin?.purpose === 'request') this.pins.close();
  }

  /** One that was begun before. */
  async takeUp(id: string): Promise<void> {
    const { store, kept, tab } = this.tools;
    this.#other();
    const work = async () => {
      const found = (await kept.requests()).find((request) => request.id === id);
      store.set({ request: loading(id, found?.clientId ?? '') });
      if (!found) throw new Trouble('login-expired');
      this.#run = undefined;
      this.#kept = found;
      tab.set(id);
      await this.#ask();
    };
    await store.run('loading-request', work, (problem) => this.#failed(problem, 'loading'));
  }

  /** After a reload: the one this tab showed, unless its time is over. */
  async resume(): Promise<void> {
    const { tab, kept } = this.tools;
    const id = tab.get();
    if (id !== null && (await kept.requests()).some((request) => request.id === id)) await this.takeUp(id);
    else tab.set(null);
    await this.waiting();
  }

  async #ask(): Promise<void> {
    await this.#fresh();
    this.#change({ step: 'ask', problem: null });
    await this.waiting();
  }

  /** A question that can be answered: the one there is, or a new one of the same login. */
  async #fresh(): Promise<Run> {
    const { provider, now, kept, alone } = this.tools;
    const [run, request] = [this.#run, this.#kept];
    if (!request) throw new Trouble('login-unknown');
    if (run && !run.over && run.want.want === 'choose' && run.want.expires_at - MARGIN_SECONDS > now()) return run;
    const { request: shown } = this.tools.store.state;
    if (run && !run.over && run.want.want === 'choose' && shown?.otherDevice && shown.extendable) {
      // What was scanned is answered for a minute; this device has opened it, and asks to be asked again.
      await run.tell({ told: 'more-time' });
      this.#show(run);
      return run;
    }
    const next = new Run(provider, now, Login.resume(provider.issuer, request.clientId, request.login));
    this.#run = undefined;
    await next.advance();
    this.#run = next;
    const { service } = this.#show(next);
    if (request.service !== service.name) {
      this.#kept = { ...request, service: service.name };
      const keep = this.#kept;
      await alone('requests', () => kept.keepRequest(keep));
    }
    this.refresh();
    return next;
  }

  #show(run: Run): { service: Service } {
    const { service, requested, expires_at, ends_at, extendable, other_device } = run.expect('choose');
    const time = { expiresAt: expires_at, endsAt: ends_at, extendable };
    this.#change({ service, acr: requested.acr, claims: requested.claims, ...time, otherDevice: elsewhere(other_device) });
    return { service };
  }

  moreTime(): void {
    const { store, alone, kept } = this.tools;
    const step = store.state.request?.step;
    if (step !== 'ask' && step !== 'decide') return;
    const work = async () => {
      const open = this.#run;
      const isThere = open && !open.over && (step === 'decide' || open.want.want === 'choose');
      const run = isThere ? open : await this.#fresh();
      await run.tell({ told: 'more-time' });
      if (step === 'decide') return this.#decide(run, '', undefined);
      this.#show(run);
      this.#change({ problem: null });
      const [login, request] = [run.login.held, this.#kept];
      // A login that was scanned is never taken up again: only whoever opened it goes on with it.
      if (login === undefined || !request || store.state.request?.otherDevice) return;
      const keep = { ...request, login };
      this.#kept = keep;
      await alone('requests', () => kept.keepRequest(keep));
    };
    void store.run('extending', work, async (problem) => {
      const isAsked = this.#run?.want.want === 'choose' || this.#run?.want.want === 'decide';
      if (ends(problem.reason) || !isAsked) return this.#failed(problem, step);
      this.#change({ problem, ...(problem.reason === 'no-more-time' && { extendable: false }) });
    });
  }

  /** Whether the device can answer, now that something changed about it. */
  refresh(): void {
    const { store, now } = this.tools;
    const { device, request, config } = store.state;
    if (!request) return;
    // A passkey that may be copied is good for the insurer's own pages only.
    const isForServices = config.device_classes.find(({ name }) => name === device?.class)?.evidence !== 'passkey';
    const answers = !device ? 'not-enrolled' : device.validUntil <= now() ? 'due' : isForServices ? 'yes' : 'card-needed';
    if (request.deviceAnswers !== 'card-needed' || answers !== 'yes') this.#change({ deviceAnswers: answers });
  }

  /** `agreed`: what she chose, looking at what is asked. */
  withDevice(agreed?: Choice): void {
    const { store } = this.tools;
    if (store.state.request?.step !== 'ask' || store.state.busy) return;
    const seen = this.#asked();
    if (agreed) this.#change({ choice: agreed });
    const failed = (problem: Problem) => this.#failed(problem, 'ask');
    if (!store.state.device?.pin) return void store.run('device', () => this.#signed(seen, agreed), failed);
    this.pins.ask('request', {
      use: (key) => this.#signed(seen, agreed, key),
      failed: async (problem) => {
        await failed(problem);
        return true;
      },
      cancelled: () => undefined,
    });
  }

  /** `unlocked`: by the app's PIN. */
  async #signed(seen: string, agreed?: Choice, unlocked?: CryptoKey): Promise<void> {
    const run = await this.#fresh();
    this.#change({ step: 'signing', method: this.tools.store.state.device?.kind === 'passkey' ? 'passkey' : 'device', problem: null });
    await withDevice(this.tools, run, unlocked);
    await this.#decide(run, seen, agreed);
  }

  withCard(agreed?: Choice): void {
    if (this.tools.store.state.request?.step !== 'ask' || this.tools.store.state.busy) return;
    const seen = this.#asked();
    this.#other();
    const open = async () => {
      this.#change({ step: 'card', method: 'card', problem: null, ...(agreed && { choice: agreed }) });
      await this.cards.open('request', {
        use: async (answer) => {
          const run = await this.#fresh();
          await withCard(this.tools, run, answer);
          await this.#decide(run, seen, agreed);
        },
        failed: async (problem) => {
          if (!ends(problem.reason)) return false;
          await this.#over(problem);
          return true;
        },
        cancelled: () => this.#change({ step: 'ask', method: null }),
      });
    };
    void this.tools.store.run('card', open, (problem) => this.#failed(problem, 'ask'));
  }

  /** What is asked, to be compared with what she saw when she said yes. */
  #asked(): string {
    const { request } = this.tools.store.state;
    return JSON.stringify([request?.service?.name, request?.acr, request?.claims?.essential, request?.claims?.voluntary]);
  }

  /** She is known. One gesture is enough where she agreed to just that; the number on another device is typed in any case. */
  async #decide(run: Run, seen: string, agreed: Choice | undefined): Promise<void> {
    const { essential, voluntary, remembered, service, ends_at, extendable } = run.expect('decide');
    const time = { endsAt: ends_at, extendable };
    const choice = agreed && { choice: agreed };
    this.#change({ step: 'decide', claims: { essential, voluntary }, remembered, service, ...time, problem: null, ...choice });
    if (!agreed || seen !== this.#asked() || this.tools.store.state.request?.otherDevice) return;
    this.#change({ agreed: true });
    this.tools.store.set({ busy: 'deciding' });
    try {
      await this.#approved(run, agreed);
    } catch (error) {
      await this.#failed(problemOf(error, this.tools.provider.refused), 'decide');
    }
  }

  async #approved(run: Run, { voluntary, remember }: Choice, number?: string): Promise<void> {
    run.expect('decide');
    await run.tell({ told: 'approve', voluntary, remember, ...(number === undefined ? {} : { number }) });
    await this.#answered(run, 'approved');
  }

  /** `number`: the two digits the other device shows, where the login was begun there. */
  approve(voluntary: string[], remember: boolean, number?: string): void {
    const { request } = this.tools.store.state;
    const run = this.#run;
    if (request?.step !== 'decide' || !run) return;
    const work = () => this.#approved(run, { voluntary, remember }, number);
    void this.tools.store.run('deciding', work, (problem) => this.#failed(problem, 'decide'));
  }

  decline(): void {
    const { store } = this.tools;
    const step = store.state.request?.step;
    if (step === 'card') this.cards.cancel();
    this.#other();
    const work = async () => {
      const run = this.#run?.want.want === 'decide' ? this.#run : await this.#fresh();
      await run.tell({ told: 'decline' });
      await this.#answered(run, 'declined');
    };
    if (step === 'ask' || step === 'card' || step === 'decide') {
      void store.run('declining', work, (problem) => this.#failed(problem, step === 'decide' ? 'decide' : 'ask'));
    }
  }

  /** It is not hers, or somebody tells her on the phone what to tap: over on both sides. */
  abort(why: core.AbortWhy): void {
    const { store } = this.tools;
    const step = store.state.request?.step;
    if (step !== 'ask' && step !== 'card' && step !== 'decide') return;
    const work = async () => {
      const run = this.#run?.want.want === 'decide' ? this.#run : await this.#fresh();
      await run.tell({ told: 'abort', why });
      run.expect('done');
      this.cards.close();
      await this.#forget();
      this.#change({ step: 'done', outcome: 'aborted', back: null, problem: null });
    };
    void store.run('declining', work, (problem) => this.#failed(problem, step === 'decide' ? 'decide' : 'ask'));
  }

  goBack(): void {
    const back = this.tools.store.state.request?.back;
    if (back) this.tools.leave(back);
  }

  /** Requests of other tabs and of before. */
  async waiting(): Promise<void> {
    const { kept, store } = this.tools;
    const shown = store.state.request;
    const isShown = (id: string) => shown?.id === id && shown.step !== 'done' && shown.step !== 'over';
    const others = (await kept.requests()).filter(({ id }) => !isShown(id));
    store.set({ waiting: others.map(({ id, service, startedAt }) => ({ id, service, startedAt })) });
  }

  async #answered(run: Run, outcome: 'approved' | 'declined'): Promise<void> {
    // A login of another device goes on there.
    const back = run.want.want === 'done' ? null : run.expect('go-back').address;
    if (back !== null && !leadsToASite(back)) throw new Trouble('answer-not-genuine');
    await this.#forget();
    this.#change({ step: 'done', outcome, back, problem: null });
    // The code in the address is good for a minute: the way back is taken at once, and stays as a button.
    if (back !== null) this.tools.leave(back);
  }

  async #forget(): Promise<void> {
    const { kept, alone, tab } = this.tools;
    const id = this.#kept?.id;
    this.#run = undefined;
    tab.set(null);
    if (id !== undefined) await alone('requests', () => kept.dropRequest(id));
  }

  /** A problem: the request goes on at `step`, or is over. */
  async #failed(problem: Problem, step: 'loading' | 'ask' | 'decide'): Promise<void> {
    if (ends(problem.reason)) return this.#over(problem);
    const { store, key } = this.tools;
    if (problem.reason === 'device-unknown') {
      // The insurer does not know this device any more: what is here is of no use.
      await key.drop();
      store.set({ device: null });
      this.refresh();
    }
    // Who she is stands only in the run: only after she was asked what to share it is gone on with.
    const goesOn = step === 'decide' && this.#run?.want.want === 'decide';
    if (!goesOn) this.#run = undefined;
    this.#change({
      step: step === 'decide' && !goesOn ? 'ask' : step,
      agreed: false,
      problem,
      ...(problem.reason === 'device-due' ? { deviceAnswers: 'due' } : CARD_ONLY.has(problem.reason) ? { deviceAnswers: 'card-needed' } : {}),
    });
  }

  async #over(problem: Problem): Promise<void> {
    this.cards.close();
    this.#change({ step: 'over', problem });
    await this.#forget();
    await this.waiting();
  }

  #change(change: Partial<AskedRequest>): void {
    const { store } = this.tools;
    if (store.state.request) store.set({ request: { ...store.state.request, ...change } });
  }
}

/** Services are answered at web addresses; phones open apps by them, too. Nothing else is followed. */
function leadsToASite(address: string): boolean {
  return URL.canParse(address) && /^https?:$/.test(new URL(address).protocol);
}

function elsewhere(other: core.OtherDevice | null): OtherDevice | null {
  return other && { browser: other.browser, system: other.system, network: other.network, askedAt: other.asked_at };
}

function loading(id: string, clientId: string): AskedRequest {
  return {
    id,
    step: 'loading',
    service: null,
    clientId,
    acr: null,
    claims: null,
    remembered: false,
    method: null,
    deviceAnswers: 'not-enrolled',
    expiresAt: null,
    endsAt: null,
    extendable: false,
    otherDevice: null,
    outcome: null,
    back: null,
    choice: { voluntary: [], remember: false },
    agreed: false,
    problem: null,
  };
}
