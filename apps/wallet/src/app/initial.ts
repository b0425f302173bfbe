/** What is known before anything is. */

import type { Account, State } from './model.ts';

export function closedAccount(): Account {
  return {
    state: 'closed',
    by: null,
    consents: [],
    devices: [],
    cards: [],
    blockCode: null,
    newBlockCode: null,
    history: null,
    historyHasMore: false,
    historyIsWhole: null,
    erased: null,
    problem: null,
  };
}

export function initial(): State {
  return {
    phase: 'starting',
    route: 'start',
    language: 'de',
    config: {
      issuer: '',
      insurer: '',
      logo: '../logo.svg',
      invented: false,
      card_terminal: null,
      device_classes: [],
      support: null,
      languages: ['de', 'de-simple', 'en'],
      moves: false,
      push_key: null,
    },
    online: true,
    now: 0,
    busy: 'starting',
    problem: null,
    done: null,
    device: null,
    enrolment: null,
    request: null,
    waiting: [],
    card: null,
    pin: null,
    wake: null,
    move: null,
    account: closedAccount(),
    snapshot: null,
    reader: 'none',
    passkeys: { available: false, offered: false },
    install: 'no',
    update: false,
    persisted: false,
  };
}
