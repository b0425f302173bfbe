/** What the screens are made of. */

import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Actions, Config, State } from '../app/model.ts';
import type { Translate, TranslateMore } from '../texts/index.ts';

export type Props = { state: State; act: Actions; t: Translate };

/** Of a screen that is fetched later. */
export type MoreProps = Props & { t: TranslateMore };

let ids = 0;

/** An id of this page's own. Preact's `useId` counts from nought again when the page is rendered again from its root, as the shell does. */
function useOwnId(): string {
  const [id] = useState(() => `part-${(ids += 1)}`);
  return id;
}

/** The one heading of a screen. It can take the focus, so that a screen reader begins there after a change. */
export function Title({ children }: { children: ComponentChildren }) {
  return (
    <h1 id="title" tabIndex={-1}>
      {children}
    </h1>
  );
}

/** Where a screen changes by itself, without the shell: the focus goes to the heading as it does everywhere. Not at first. */
export function useArrival(at: string): void {
  const shown = useRef(at);
  useEffect(() => {
    if (shown.current === at) return;
    shown.current = at;
    window.scrollTo(0, 0);
    document.getElementById('title')?.focus();
  }, [at]);
}

type ButtonProps = {
  children: ComponentChildren;
  onPress?: () => void;
  /** `strong`: the one main action. `equal`: as strong in another colour. `calm`: the other ways. `link`: ways aside. `danger`: cannot be taken back. */
  look?: 'strong' | 'equal' | 'calm' | 'link' | 'danger';
  submit?: boolean;
  /** Where the words alone do not say which one, as in a list. */
  label?: string;
  busy?: boolean;
};

export function Button({ children, onPress, look = 'strong', submit = false, label, busy = false }: ButtonProps) {
  return (
    <button
      type={submit ? 'submit' : 'button'}
      class={`button ${look}`}
      aria-label={label}
      aria-disabled={busy ? 'true' : undefined}
      onClick={(event) => {
        // Disabled by hand: a button that takes itself out of the keyboard's way loses the person's place.
        if (busy) event.preventDefault();
        else onPress?.();
      }}
    >
      {children}
    </button>
  );
}

export function Buttons({ children }: { children: ComponentChildren }) {
  return <div class="buttons">{children}</div>;
}

export function Notice({ look = 'plain', title, children }: { look?: 'plain' | 'good' | 'warn' | 'bad'; title?: string; children?: ComponentChildren }) {
  return (
    <div class={`notice ${look}`}>
      {title !== undefined && <p class="notice-title">{title}</p>}
      {children}
    </div>
  );
}

export function Section({ title, children }: { title: string; children: ComponentChildren }) {
  const id = useOwnId();
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

/** Names and values, in pairs. */
export function Facts({ facts }: { facts: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

type FieldProps = {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  value: string;
  onInput: (value: string) => void;
  /** Digits on the keyboard, and nothing remembered by the browser. */
  digits?: boolean;
  secret?: boolean;
  letters?: boolean;
  longest?: number;
  focus?: boolean;
};

/** A field with its hint and its error, both linked to it. */
export function Field({ label, hint, error, value, onInput, digits, secret, letters, longest, focus }: FieldProps) {
  const id = useOwnId();
  const input = useRef<HTMLInputElement>(null);
  // To the field that has to be put right.
  useEffect(() => {
    if (error !== undefined || focus) input.current?.focus();
  }, [error, focus]);
  const described = [hint !== undefined && `${id}-hint`, error !== undefined && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {hint !== undefined && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {error !== undefined && (
        <span class="error" id={`${id}-error`}>
          {error}
        </span>
      )}
      <input
        ref={input}
        id={id}
        // The types want one input per type.
        type={(secret ? 'password' : 'text') as 'text'}
        class={digits || letters ? 'wide-letters' : undefined}
        inputMode={digits ? 'numeric' : undefined}
        autocomplete="off"
        autocapitalize={letters ? 'characters' : undefined}
        spellcheck={false}
        maxLength={longest}
        value={value}
        aria-invalid={error !== undefined ? 'true' : undefined}
        aria-describedby={described === '' ? undefined : described}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </div>
  );
}

/** A secret number with a switch that shows it. */
export function SecretField({ show, ...field }: Omit<FieldProps, 'secret' | 'digits'> & { show: string }) {
  const [shown, setShown] = useState(false);
  return (
    <>
      <Field {...field} digits secret={!shown} />
      <Check label={show} checked={shown} onChange={setShown} />
    </>
  );
}

/** A form whose button does not reload the page. */
export function Form({ onSubmit, children }: { onSubmit: () => void; children: ComponentChildren }) {
  const submit = (event: Event) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form novalidate onSubmit={submit}>
      {children}
    </form>
  );
}

type CheckProps = { label: string; hint?: string; checked: boolean; onChange: (checked: boolean) => void; isSwitch?: boolean };

export function Check({ label, hint, checked, onChange, isSwitch = false }: CheckProps) {
  const id = useOwnId();
  return (
    <label class={isSwitch ? 'check switch' : 'check'}>
      <input
        type="checkbox"
        role={isSwitch ? 'switch' : undefined}
        checked={checked}
        aria-describedby={hint === undefined ? undefined : id}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>
        {label}
        {hint !== undefined && (
          <span class="hint" id={id}>
            {hint}
          </span>
        )}
      </span>
    </label>
  );
}

type ConfirmProps = { title: string; children?: ComponentChildren; yes: string; no: string; onYes: () => void; onNo: () => void; danger?: boolean };

/** Asks before something that is hard to undo. The browser's own dialog: it keeps the keyboard inside and closes with Escape. */
export function Confirm({ title, children, yes, no, onYes, onNo, danger = true }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useOwnId();
  useLayoutEffect(() => {
    const open = dialog.current;
    open?.showModal();
    // Not to the first button: a second Enter must not be the answer.
    open?.querySelector('h2')?.focus();
    return () => open?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onNo();
      }}
    >
      <h2 id={id} tabIndex={-1}>
        {title}
      </h2>
      {children}
      <Buttons>
        <Button look={danger ? 'danger' : 'strong'} onPress={onYes}>
          {yes}
        </Button>
        <Button look="calm" onPress={onNo}>
          {no}
        </Button>
      </Buttons>
    </dialog>
  );
}

/** A code to be read out or written down: in groups for the eye, letter by letter for a screen reader. */
export function Code({ code, label }: { code: string; label?: string }) {
  const groups = code.split(/[-\s]+/);
  return (
    <p class="code">
      <span class="visually-hidden">
        {label !== undefined && `${label}: `}
        {groups.map((group) => [...group].join(' ')).join(', ')}
      </span>
      <span class="code-groups" aria-hidden="true">
        {groups.map((group, at) => (
          <span key={at}>{group}</span>
        ))}
      </span>
    </p>
  );
}

/** The ways to reach the insurer. */
export function Contact({ config, t }: { config: Config; t: Translate }) {
  const { support } = config;
  if (!support || (support.phone === null && support.mail === null && support.url === null)) return <p>{t.help.contactNone}</p>;
  return (
    <ul class="plain-list contact">
      {support.phone !== null && (
        <li>
          <a href={`tel:${support.phone.replace(/[^+\d]/g, '')}`}>{t.pinMissing.call(support.phone)}</a>
        </li>
      )}
      {support.mail !== null && (
        <li>
          <a href={`mailto:${support.mail}`}>{t.pinMissing.mail(support.mail)}</a>
        </li>
      )}
      {support.url !== null && /^https:\/\//.test(support.url) && (
        <li>
          <a href={support.url} rel="noreferrer">
            {t.pinMissing.web}
          </a>
        </li>
      )}
    </ul>
  );
}

/** The name of a claim in words; the wire's own name where it is a new one. */
export function claimName(t: Translate, claim: string): string {
  return (t.claims as Record<string, string>)[claim] ?? `${t.otherClaim} (${claim})`;
}

export function ClaimList({ claims, t }: { claims: string[]; t: Translate }) {
  return (
    <ul class="claims">
      {claims.map((claim) => (
        <li key={claim}>{claimName(t, claim)}</li>
      ))}
    </ul>
  );
}
