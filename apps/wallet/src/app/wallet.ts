/** The whole wallet behind the screens: one action each, put together from the flows. */

import { shown } from './answer.ts';
import { AccountSession } from './account.ts';
import { CardSteps } from './card-step.ts';
import { Enrolling } from './enrolment.ts';
import { Inbox } from './inbox.ts';
import type { Actions } from './model.ts';
import { MoveSteps } from './move-step.ts';
import { PinSteps } from './pin-step.ts';
import { problemOf } from './problem.ts';
import { Requests } from './requests.ts';
import type { Tools } from './tools.ts';
import { WakeSteps } from './wake-step.ts';
import type { Members } from '../core/shape.ts';

/** What only a browser can do. */
export type Surface = {
  go: Actions['go'];
  setLanguage: Actions['setLanguage'];
  install(): void;
  update(): void;
  persist(): void;
  save(name: string, json: Members): void;
  forget(): Promise<void>;
  /** A name for this device until she gives it one. */
  deviceName: string;
};

export type Wallet = { act: Actions; requests: Requests; moves: MoveSteps; inbox: Inbox; wakes: WakeSteps };

export function wallet(tools: Tools, surface: Surface): Wallet {
  const { store } = tools;
  const cards = new CardSteps(tools);
  const pins = new PinSteps(tools);
  const account = new AccountSession(tools, cards, pins, surface.save);
  const requests = new Requests(tools, cards, pins);
  const inbox = new Inbox(tools, () => requests.waiting());
  const wakes = new WakeSteps(tools, pins);
  tools.look = (unlocked) => {
    void inbox.look(unlocked);
    void wakes.check(unlocked);
  };
  const enrolling = new Enrolling(tools, cards, pins, async (login) => {
    surface.persist();
    requests.refresh();
    void wakes.check();
    // The device is bound, whatever comes of showing the account.
    await account.opened(login, 'card').catch((error: unknown) => account.failed(problemOf(error, tools.provider.refused)));
  });
  const moves = new MoveSteps(tools, pins, () => {
    surface.persist();
    requests.refresh();
    void wakes.check();
  });
  const act: Actions = {
    go: surface.go,
    setLanguage: surface.setLanguage,
    dismiss: () => store.set({ problem: null, done: null }),
    retry: () => store.again(),

    beginEnrolment: () => {
      enrolling.begin(surface.deviceName);
      surface.go('enrol');
    },
    setEnrolment: (wish) => enrolling.set(wish),
    continueEnrolment: () => enrolling.next(),
    backInEnrolment: () => enrolling.back(),
    dropEnrolment: () => enrolling.drop(),

    chooseCard: (id) => cards.choose(id),
    answerCard: (pin) => cards.answer(pin),
    unblockCard: (puk) => cards.unblock(puk),
    refreshCards: () => cards.refresh(),
    cancelCard: () => cards.cancel(),

    typePin: (pin) => pins.typed(pin),
    withoutPin: () => pins.without(),
    cancelPin: () => pins.cancel(),
    changePin: () => enrolling.changePin(),
    newPin: () => enrolling.newPin(),

    beginMove: () => {
      moves.begin();
      surface.go('move');
    },
    offerMove: () => moves.offer(),
    approveMove: (number) => moves.approve(number),
    endMove: (why) => moves.end(why),
    acceptMove: (name) => moves.accept(name),
    dropMove: () => moves.drop(),

    takeUp: (id) => {
      surface.go('request');
      void requests.takeUp(id);
    },
    answerWithDevice: (agreed) => requests.withDevice(agreed),
    answerWithCard: (agreed) => requests.withCard(agreed),
    moreTime: () => requests.moreTime(),
    approve: (voluntary, remember, number) => requests.approve(voluntary, remember, number),
    decline: () => requests.decline(),
    abort: (why) => requests.abort(why),
    goBack: () => requests.goBack(),

    openAccount: (by) => account.open(by),
    closeAccount: () => account.close(),
    loadHistory: (more = false) => account.loadHistory(more),
    revokeConsent: (id) => account.revokeConsent(id),
    renameDevice: (id, name) => account.renameDevice(id, name),
    lockDevice: (id) => account.lockDevice(id),
    unlockDevice: (id) => account.unlockDevice(id),
    removeDevice: (id) => account.removeDevice(id),
    renewDevice: () => account.renewDevice(),
    makeBlockCode: () => account.makeBlockCode(),
    forgetBlockCode: () => account.forgetBlockCode(),
    block: (code) => account.block(code),
    exportData: () => account.exportData(),
    erase: () => account.erase(),

    setWake: (on) => wakes.turn(on),
    install: () => surface.install(),
    update: () => surface.update(),
    forgetEverything: () => {
      void store.run('changing', async () => {
        account.close();
        pins.close();
        moves.drop();
        await wakes.end();
        await surface.forget();
        store.set({ device: null, wake: null, enrolment: null, request: null, waiting: [], snapshot: null, card: null, done: 'forgotten' });
      });
    },
  };
  return { act, requests, moves, inbox, wakes };
}

/** Reads what was kept. */
export async function recall(tools: Tools): Promise<void> {
  const { store, key, kept } = tools;
  // One that does not open does not keep the others from being there.
  await Promise.all([
    kept.enrolment().then((enrolment) => store.set({ enrolment: enrolment ?? null })),
    kept.snapshot().then((snapshot) => store.set({ snapshot })),
    key.kept().then((device) => store.set({ device: device ? shown(device) : null })),
  ]);
}
