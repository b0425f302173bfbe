/** Moving to a new phone with the old one (ADR 0021): both sides of it. Fetched when one of them begins. */

import * as base64url from '../core/base64url.ts';
import { MoveIn } from '../core/move-in.ts';
import { MoveOut } from '../core/move-out.ts';
import type { EndWhy, MoveTold, MoveWant } from '../core/move.ts';
import { FlowError } from '../core/types.ts';
import { PLAIN } from '../storage/device.ts';
import { account, prompted, record, sealed, shown } from './answer.ts';
import { browserClass } from './bind.ts';
import type { Doing, Move, Problem } from './model.ts';
import { Trouble, problemOf } from './problem.ts';
import type { Tools } from './tools.ts';

type Machine = { tell(told: MoveTold, now: number): Promise<MoveWant> };

/** Sends until something else is wanted. */
async function drive({ provider, now }: Tools, machine: Machine, want: MoveWant): Promise<MoveWant> {
  try {
    while (want.want === 'send') {
      provider.refused = undefined;
      want = await machine.tell(await provider.send(want), now());
    }
    return want;
  } catch (error) {
    throw ended(error) ? new Over(problemOf(error, provider.refused)) : Trouble.of(problemOf(error, provider.refused));
  }
}

/** The move is over. */
class Over extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.reason);
    // The words for it are about logins.
    this.problem = problem.reason === 'aborted' ? { ...problem, reason: 'move-over' } : problem;
  }
}

const ended = (error: unknown) => error instanceof FlowError && error.ends;

abstract class Side {
  /** Nobody waits for it any more. */
  stopped = false;

  constructor(protected readonly tools: Tools) {}

  protected change(change: Partial<Move>): void {
    const { store } = this.tools;
    if (store.state.move && !this.stopped) store.set({ move: { ...store.state.move, ...change } });
  }

  /** Does something for a person. What ends the move ends the screen; anything else leaves it with the problem. */
  protected run(doing: Doing, work: () => Promise<void>): Promise<void> {
    this.change({ problem: null });
    return this.tools.store.run(doing, () => this.guarded(work), (problem) => {
      this.change({ problem });
      this.tools.store.forgetAgain();
    });
  }

  protected async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Over)) throw error;
      this.change({ step: 'over', problem: error.problem });
    }
  }

  /** Looks again and again until something else is to be done. Network that fails is looked for again. */
  protected async watch(look: () => Promise<boolean>): Promise<void> {
    for (;;) {
      await this.tools.pause();
      if (this.stopped) return;
      try {
        if (await look()) return;
        this.change({ problem: null });
      } catch (error) {
        if (error instanceof Over) throw error;
        this.change({ problem: problemOf(error) });
      }
    }
  }
}

/** The old phone. */
export class OldPhone extends Side {
  #machine: MoveOut | undefined;
  /** Where her key lies wrapped: what the PIN unlocked, for as long as the move takes. */
  #unlocked: CryptoKey | undefined;
  /** The machine is told one thing after the other, whoever tells it. */
  #turn: Promise<unknown> = Promise.resolve();

  /** A fresh answer of this device, and the code to be scanned. */
  async begin(unlocked?: CryptoKey): Promise<void> {
    this.#unlocked = unlocked;
    const { tools } = this;
    const login = sealed(await account(tools, unlocked ?? 'device'));
    const kept = await tools.key.kept();
    if (!kept) throw new Trouble('not-enrolled');
    const [machine, first] = MoveOut.begin(login, record(kept), kept.kind === 'passkey');
    await this.guarded(async () => {
      const want = await drive(tools, machine, first);
      if (want.want !== 'show-offer') throw new Trouble('unexpected');
      this.#machine = machine;
      this.change({ step: 'code', code: want.code, link: want.link, expiresAt: want.expires_at });
      void this.#wait();
    });
  }

  #wait(): Promise<void> {
    return this.guarded(() =>
      this.watch(async () => {
        const want = await this.#tell({ told: 'look' });
        if (want.want !== 'compare') return false;
        const { asked_at: askedAt, ...asking } = want.asking;
        this.change({ step: 'compare', asking: { ...asking, askedAt }, expiresAt: want.expires_at, problem: null });
        return true;
      }),
    );
  }

  /** The digits, and her key's signature over what asks. */
  approve(number: string): Promise<void> {
    return this.run('deciding', async () => {
      const { key, now } = this.tools;
      // What was shown may be too old to be signed: asked for anew, and the same.
      const seen = await this.#tell({ told: 'look' });
      if (seen.want === 'moved') return this.#moved(seen.name);
      const machine = this.#alive();
      const kept = await key.kept();
      let want: MoveWant;
      if (kept?.kind === 'passkey') {
        const asked = await machine.tell({ told: 'number', number, counter: 0 }, now());
        if (asked.want !== 'sign-with-passkey') throw new Trouble('unexpected');
        const got = await prompted(this.tools, asked.challenge, kept).catch(async (error: unknown) => {
          await machine.tell({ told: 'decline' }, now());
          throw error;
        });
        want = await machine.tell({ told: 'passkey-answered', ...got.answer }, now());
      } else {
        want = await key.with(async (device) => {
          const asked = await machine.tell({ told: 'number', number, counter: device.counter }, now());
          if (asked.want !== 'sign-with-device') throw new Trouble('unexpected');
          const signature = await key.sign(device, asked.counter, asked.message, this.#unlocked);
          return machine.tell({ told: 'signed', signature }, now());
        });
      }
      const last = await drive(this.tools, machine, want);
      if (last.want !== 'moved') throw new Trouble('unexpected');
      this.#moved(last.name);
    });
  }

  #moved(name: string): void {
    this.change({ step: 'moved', name });
    this.#unlocked = undefined;
  }

  /** She says no, or somebody is on the phone with her. */
  end(why: EndWhy): Promise<void> {
    return this.run('declining', async () => {
      const { store } = this.tools;
      if (this.#machine) await this.#tell({ told: 'end', why });
      this.stopped = true;
      this.#unlocked = undefined;
      store.set({ move: null, done: why === 'declined' ? null : 'move-stopped' });
    });
  }

  async #tell(told: MoveTold): Promise<MoveWant> {
    const machine = this.#alive();
    const turn = this.#turn.then(async () => drive(this.tools, machine, await machine.tell(told, this.tools.now())));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #alive(): MoveOut {
    if (!this.#machine) throw new Trouble('unexpected');
    return this.#machine;
  }
}

/** The new phone. */
export class NewPhone extends Side {
  constructor(
    tools: Tools,
    private readonly offer: string,
    /** Called once it is bound. */
    private readonly done: () => void,
  ) {
    super(tools);
  }

  /** She has read what it is for, given it a name and agreed to the level. */
  accept(name: string): Promise<void> {
    return this.run('enrolling', async () => {
      const { tools } = this;
      const { key, kept, provider, store } = tools;
      const found = browserClass(store.state.config.device_classes);
      if (!found) throw new Trouble('attestation-refused');
      const hardware = base64url.encode(await kept.mark());
      const [machine, first] = await MoveIn.begin(provider.issuer, this.offer, { name, class: found.name, consent_to_substantial: true, hardware });
      if (first.want !== 'make-key') throw new Trouble('unexpected');
      const sign = await machine.tell({ told: 'key-made', ...(await key.make()) });
      if (sign.want !== 'sign-with-new-key') throw new Trouble('unexpected');
      const send = await machine.tell({ told: 'signed', signature: await key.signWithNew(sign.message) });
      const want = await drive(tools, machine, send);
      if (want.want !== 'show-number') throw new Trouble('unexpected');
      this.change({ step: 'number', number: want.number, expiresAt: want.expires_at });
      void this.guarded(() => this.watch(() => this.#look(machine)));
    });
  }

  async #look(machine: MoveIn): Promise<boolean> {
    const { tools } = this;
    const { key, kept, store, now } = tools;
    const want = await drive(tools, machine, await machine.tell({ told: 'look' }));
    if (want.want !== 'keep') return false;
    const { want: _, findings: __, ...record } = want;
    const device = { ...PLAIN, ...record, kind: 'device-key' as const, bound_at: now() };
    await kept.dropSnapshot();
    await key.keep(device);
    store.set({ snapshot: null, device: shown(device) });
    this.change({ step: 'bound', problem: null });
    this.done();
    return true;
  }
}
