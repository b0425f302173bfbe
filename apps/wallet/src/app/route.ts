/** Where the person is: the part of the address after `#/`. Back and forward are the browser's. */

import type { Route } from './model.ts';

const ROUTES: Record<Route, true> = {
  start: true,
  enrol: true,
  request: true,
  cards: true,
  history: true,
  devices: true,
  move: true,
  consents: true,
  timers: true,
  block: true,
  data: true,
  settings: true,
  help: true,
  'not-found': true,
};

export function routeOf(hash: string): Route {
  const word = hash.replace(/^#\/?/, '');
  if (word === '') return 'start';
  return Object.hasOwn(ROUTES, word) ? (word as Route) : 'not-found';
}

export function hashOf(route: Route): string {
  return route === 'start' ? '#/' : `#/${route}`;
}

/** A link of the provider's page into the wallet: `?issuer&client_id&login`. `undefined`: no link; `null`: a broken one. */
export type Link = { issuer: string; clientId: string; login: string };

/** A link an old phone shows: `?issuer&move`. */
export type MoveLink = { issuer: string; offer: string };

/** Longer than any sealed login. */
const MAX_LINK_CHARACTERS = 8192;

/** As {@link linkOf}. */
export function moveLinkOf(search: string): MoveLink | null | undefined {
  const query = new URLSearchParams(search);
  if (!query.has('move')) return undefined;
  const [issuer, offer] = [one(query, 'issuer'), one(query, 'move')];
  return issuer && offer && search.length <= MAX_LINK_CHARACTERS ? { issuer, offer } : null;
}

function one(query: URLSearchParams, name: string): string | undefined {
  const [value, ...more] = query.getAll(name);
  return more.length === 0 ? value : undefined;
}

export function linkOf(search: string): Link | null | undefined {
  const query = new URLSearchParams(search);
  const names = ['issuer', 'client_id', 'login'];
  if (!names.some((name) => query.has(name))) return undefined;
  const [issuer, clientId, login] = names.map((name) => one(query, name));
  if (!issuer || !clientId || !login || search.length > MAX_LINK_CHARACTERS) return null;
  return { issuer, clientId, login };
}
