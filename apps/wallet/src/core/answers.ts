/** The provider's answers, read. */

import { members, parse, text, texts, whole, type Members } from './shape.ts';
import { REASONS, type Reason } from './reasons.ts';
import { FlowError, type ClaimNames, type Consent, type Finding, type OtherDevice, type Requested, type Service, type Time, type Told } from './types.ts';

export type ChallengeAnswer = { login: string; challenge: string; service: Service; requested: Requested; other_device: OtherDevice | null; time: Time };
export type LoginAnswer = { login: string; consent: Consent };

export function outOfOrder(told: Told): FlowError {
  return new FlowError('out-of-order', `${told.told}: not what was wanted here`);
}

/** The body of a successful answer. */
export function body(told: Told): string {
  if (told.told !== 'answer') throw outOfOrder(told);
  if (told.status >= 200 && told.status < 300) return told.body;
  const said = refusal(parse(told.body));
  const error = said?.error ?? `http_${told.status}`;
  const description = said ? said.description : 'answered without an error object';
  throw new FlowError('refused', `the provider refused: ${error}: ${description}`, { ...said, status: told.status });
}

type Refusal = { error: string; description: string; reason?: Reason; supportCode?: string };

/** A refusal of the authenticator API; `undefined` for anything else, as from a machine in front of the provider. */
function refusal(value: unknown): Refusal | undefined {
  const found = members(value);
  const optional = (name: string): boolean => text(found?.[name]) !== undefined || (found?.[name] ?? null) === null;
  const error = text(found?.['error']);
  if (!found || error === undefined || !optional('reason') || !optional('support_code')) return undefined;
  const [word, code] = [text(found['reason']), text(found['support_code'])];
  const reason = REASONS.find((known) => known === word);
  return {
    error,
    description: text(found['error_description']) ?? '',
    ...(reason && { reason }),
    ...(code !== undefined && SUPPORT_CODE.test(code) && { supportCode: code }),
  };
}

/** It is shown as it came, so nothing else is taken for one. */
const SUPPORT_CODE = /^[A-Z]{4}-[A-Z]{4}$/;

/** A successful answer of a shape. */
export function answer<T>(told: Told, path: string, read: (answer: Members) => T | undefined): T {
  const found = members(parse(body(told)));
  const value = found && read(found);
  if (value === undefined) throw new FlowError('answer', `${path}: the answer has another form than expected`);
  return value;
}

export function service(value: unknown): Service | undefined {
  const found = members(value);
  const name = text(found?.['name']);
  const logo = found?.['logo_uri'];
  if (name === undefined || (logo !== undefined && logo !== null && typeof logo !== 'string')) return undefined;
  return { name, logo_uri: text(logo) ?? null };
}

function claims(found: Members): ClaimNames | undefined {
  const [essential, voluntary] = [texts(found['essential']), texts(found['voluntary'])];
  return essential && voluntary && { essential, voluntary };
}

/** `null` for a login that was begun here. */
function otherDevice(value: unknown): OtherDevice | null | undefined {
  if (value === undefined || value === null) return null;
  const found = members(value);
  const [browser, system, asked_at] = [text(found?.['browser']), text(found?.['system']), whole(found?.['asked_at'])];
  const network = found?.['network'] ?? null;
  if (browser === undefined || system === undefined || asked_at === undefined) return undefined;
  if (network !== null && network !== 'same' && network !== 'other') return undefined;
  return { browser, system, network, asked_at };
}

/** How long the login lives. */
function time(found: Members): Time | undefined {
  const [end, extendable] = [found['expires_at'] ?? null, found['extendable'] ?? false];
  const ends_at = end === null ? null : whole(end);
  return ends_at === undefined || typeof extendable !== 'boolean' ? undefined : { ends_at, extendable };
}

export function challengeAnswer(found: Members): ChallengeAnswer | undefined {
  const [login, challenge] = [text(found['login']), text(found['challenge'])];
  const requested = members(found['requested']);
  const names = claims(members(requested?.['claims']) ?? {});
  const [acr, who] = [text(requested?.['acr']), service(found['service'])];
  const [other_device, lives] = [otherDevice(found['other_device']), time(found)];
  if (login === undefined || challenge === undefined || acr === undefined || !names || !who || other_device === undefined || !lives) return undefined;
  return { login, challenge, service: who, requested: { acr, claims: names }, other_device, time: lives };
}

export function loginAnswer(found: Members): LoginAnswer | undefined {
  const login = text(found['login']);
  const consent = members(found['consent']);
  const [names, who] = [consent && claims(consent), service(consent?.['service'])];
  const [remembered, lives] = [consent?.['remembered'] ?? false, time(found)];
  if (login === undefined || !names || !who || typeof remembered !== 'boolean' || !lives) return undefined;
  return { login, consent: { service: who, ...names, remembered, other_device: null, ...lives } };
}

/** `null`: the other device goes on. */
export function decisionAnswer(found: Members): { redirect: string | null } | undefined {
  const redirect = found['redirect'] ?? null;
  return redirect === null || typeof redirect === 'string' ? { redirect } : undefined;
}

export function abortAnswer(): true {
  return true;
}

export type BindingAnswer = { device: string; valid_until: number; class: string; findings: Finding[] };

export function bindingAnswer(found: Members): BindingAnswer | undefined {
  const [device, valid_until] = [text(found['device']), whole(found['valid_until'])];
  const [name, list] = [text(found['class']), findings(found['findings'])];
  if (device === undefined || valid_until === undefined || name === undefined || !list) return undefined;
  return { device, valid_until, class: name, findings: list };
}

export function findings(value: unknown): Finding[] | undefined {
  const list = Array.isArray(value) ? value.map(finding) : [undefined];
  return list.every((one) => one !== undefined) ? list : undefined;
}

function finding(value: unknown): Finding | undefined {
  const found = members(value);
  const [check, outcome, name] = [text(found?.['check']), text(found?.['outcome']), found?.['class'] ?? null];
  if (check === undefined || outcome === undefined || (name !== null && typeof name !== 'string')) return undefined;
  return { check, outcome, class: name };
}

export function keys(told: Told): Members[] {
  return answer(told, 'auth/jwks', (found) => {
    const list = Array.isArray(found['keys']) ? found['keys'].map(members) : undefined;
    return list?.every((key) => key !== undefined) ? (list as Members[]) : undefined;
  });
}
