/** What every language has to have a text for: a name added to the model breaks the build until it is written in each of them. */

import type { CardStep, Doing, Done, Reason } from '../app/model.ts';

/** What happened, and what to do. */
export type ReasonText = { title: string; help: string };
export type ReasonTexts = Record<Reason, ReasonText>;
export type DoneTexts = Record<Done, string>;
export type DoingTexts = Record<Doing, string>;
export type PurposeTexts = Record<CardStep['purpose'], string>;

/** What stays after an account is erased (`docs/wallet-core.md`). */
export type KeptTexts = Record<'erasure-mark' | 'waiting-entries' | 'backups' | 'insurer-register' | 'services', ReasonText>;

/** The claims a service may ask for (A_22989-01). */
export const CLAIMS = [
  'birthdate',
  'urn:telematik:claims:alter',
  'urn:telematik:claims:display_name',
  'urn:telematik:claims:given_name',
  'urn:telematik:claims:family_name',
  'urn:telematik:claims:geschlecht',
  'urn:telematik:claims:email',
  'urn:telematik:claims:profession',
  'urn:telematik:claims:id',
  'urn:telematik:claims:organization',
] as const;

export type ClaimTexts = Record<(typeof CLAIMS)[number], string>;

/** The events of the history (`docs/wallet-core.md`, "Her history"). */
export const EVENTS = [
  'login',
  'declined',
  'refused',
  'broken-off',
  'account-opened',
  'device-bound',
  'device-removed',
  'device-renamed',
  'device-locked',
  'device-unlocked',
  'device-confirmed',
  'device-misused',
  'consent-revoked',
  'data-changed',
  'exported',
  'pin-locked',
  'pin-reset',
  'block-code-made',
  'blocked',
  'not-me',
  'phone-call',
  'device-moved',
  'move-ended',
] as const;

export type EventTexts = Record<(typeof EVENTS)[number], string>;
