/** The whole page: frame, and the screen of the route. */

import type { ComponentChild } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Done, Route, State } from '../app/model.ts';
import { Trouble } from '../app/problem.ts';
import { LANGUAGE_NAMES, LANGUAGE_TAGS } from '../texts/format.ts';
import { Card } from './card.tsx';
import { Enrol } from './enrol.tsx';
import { codeOf, Help } from './help.tsx';
import { useLater, type Later } from './later.ts';
import { Button, Buttons, Title, type Props } from './parts.tsx';
import { Pin } from './pin.tsx';
import { ProblemScreen } from './problem.tsx';
import { Request } from './request.tsx';
import { Start } from './start.tsx';

export type { Props } from './parts.tsx';

export function Wallet(props: Props) {
  const { state, act, t } = props;
  useLayoutEffect(() => {
    document.documentElement.lang = t.tag;
  }, [t.tag]);
  // The problem is gone once she leaves its screen; the code is what she takes to the help page.
  const code = useRef<string | null>(null);
  code.current = codeOf(state) ?? code.current;
  const first = before(props);
  const later = useLater(props, first === undefined && needsMore(state));
  const main = useHeading(place(props, later), later.is === 'fetching', state.config.insurer);
  return (
    <>
      <a
        class="skip-link"
        href="#main"
        onClick={(event) => {
          // The hash is the wallet's address; only the focus moves.
          event.preventDefault();
          document.getElementById('title')?.focus();
        }}
      >
        {t.common.skip}
      </a>
      <header>
        {state.config.invented && <p class="banner">{t.common.sandbox}</p>}
        <div class="page site-header">
          <p class="site-name">
            <img src={state.config.logo} alt="" width="32" height="32" />
            <span>{state.config.insurer}</span>
          </p>
          {state.route !== 'start' && state.phase === 'ready' && <HomeLink {...props} />}
        </div>
      </header>
      <main class="page" id="main" ref={main}>
        {!state.online && (
          <p class="notice warn" role="status">
            {t.common.offline}
          </p>
        )}
        <Said {...props} />
        {first ?? screen(props, later, code.current)}
        {state.update && (
          <div class="notice">
            <p>{t.common.update}</p>
            <Buttons>
              <Button look="calm" onPress={() => act.update()}>
                {t.common.updateNow}
              </Button>
            </Buttons>
          </div>
        )}
      </main>
      <Languages {...props} />
    </>
  );
}

/** Away from a running request or enrolment nothing is lost: it is kept, and the overview names it. */
function HomeLink({ act, t }: Props) {
  return (
    <nav aria-label={t.nav.start}>
      <a
        class="home-link"
        href="#/start"
        onClick={(event) => {
          event.preventDefault();
          act.go('start');
        }}
      >
        {t.nav.start}
      </a>
    </nav>
  );
}

/** Said by the heading of a screen of its own. */
const OWN_SCREEN: Done[] = ['blocked', 'erased'];

/** What is being done, and what was just done: always in the page, so that a screen reader hears it change. */
function Said({ state, act, t }: Props) {
  const doing = state.busy !== null ? t.doing[state.busy] : '';
  const done = state.busy === null && state.done !== null && !OWN_SCREEN.includes(state.done) ? t.done[state.done] : '';
  return (
    <>
      <div role="status" class={doing || done ? 'said' : undefined}>
        {doing && <p class="doing">{doing}</p>}
        {done && <p class="notice good">{done}</p>}
      </div>
      {done && (
        <p class="said-close">
          <Button look="calm" onPress={() => act.dismiss()}>
            {t.common.close}
          </Button>
        </p>
      )}
    </>
  );
}

/** At the foot of every screen: who cannot read this one finds her own language by its name. */
function Languages({ state, act, t }: Props) {
  if (state.phase !== 'ready') return null;
  return (
    <footer class="page site-footer">
      <nav class="language-switch" aria-label={t.common.language}>
        <ul>
          {state.config.languages.map((language) => (
            <li key={language}>
              <button
                type="button"
                lang={LANGUAGE_TAGS[language]}
                aria-current={language === state.language ? 'true' : undefined}
                onClick={() => act.setLanguage(language)}
              >
                {LANGUAGE_NAMES[language]}
              </button>
            </li>
          ))}
        </ul>
      </nav>
    </footer>
  );
}

/** What comes before the screen of the route. */
function before(props: Props): ComponentChild | undefined {
  const { state, t } = props;
  if (state.problem && state.route !== 'block' && state.route !== 'help') return <ProblemScreen {...props} problem={state.problem} />;
  if (state.phase !== 'ready') return <Title>{t.common.moment}</Title>;
  if (state.card) return <Card {...props} step={state.card} />;
  // The one of a request is asked for within it: what she chose there stays.
  if (state.pin && state.pin.purpose !== 'request') return <Pin {...props} step={state.pin} />;
  return undefined;
}

/** The screens fetched later. The help is none of them: it is where people go when something cannot be fetched. */
const MORE: Route[] = ['cards', 'history', 'devices', 'move', 'consents', 'timers', 'block', 'data', 'settings'];

function needsMore({ route, move }: State): boolean {
  return MORE.includes(route) && (route !== 'move' || move !== null);
}

function screen(props: Props, { is, found, again }: Later, code: string | null): ComponentChild {
  const { state, t } = props;
  if (is === 'failed') return <ProblemScreen {...props} problem={new Trouble(state.online ? 'unavailable' : 'offline').problem} again={again} />;
  switch (state.route) {
    case 'start':
      return <Start {...props} />;
    case 'enrol':
      return state.enrolment ? <Enrol {...props} /> : <Start {...props} />;
    case 'request':
      return state.request ? <Request {...props} /> : <Start {...props} />;
    case 'help':
      return <Help {...props} code={code} />;
    case 'not-found':
      return <NotFound {...props} />;
  }
  if (state.route === 'move' && !state.move) return <Start {...props} />;
  if (!found) return <Title>{t.common.moment}</Title>;
  const { more } = found;
  const all = { ...props, t: found.t };
  switch (state.route) {
    case 'cards':
      return <more.Cards {...all} />;
    case 'history':
      return <more.History {...all} />;
    case 'devices':
      return <more.Devices {...all} />;
    case 'move':
      return state.move && <more.Move {...all} move={state.move} />;
    case 'consents':
      return <more.Consents {...all} />;
    case 'timers':
      return <more.Timers {...all} />;
    case 'block':
      return <more.Block {...all} />;
    case 'data':
      return <more.Data {...all} />;
    case 'settings':
      return <more.Settings {...all} />;
  }
}

function NotFound({ act, t }: Props) {
  return (
    <>
      <Title>{t.notFound.title}</Title>
      <p>{t.notFound.help}</p>
      <Buttons>
        <Button onPress={() => act.go('start')}>{t.steps.home}</Button>
      </Buttons>
    </>
  );
}

/** Which screen is shown, `null` before the first: when this changes, the focus goes to its heading. What changes within a screen leaves the focus alone. */
function place({ state }: Props, { is }: Later): string | null {
  const { card, pin, request, enrolment, move } = state;
  if (state.phase === 'starting') return null;
  return [
    state.phase,
    state.problem?.reason,
    state.route,
    state.account.state,
    card && `card ${card.purpose} ${card.chosen}`,
    pin && `pin ${pin.purpose} ${pin.step}`,
    state.route === 'request' && request && `${request.id} ${request.step} ${request.outcome}`,
    state.route === 'enrol' && enrolment?.step,
    state.route === 'move' && move && `${move.side} ${move.step}`,
    (is === 'fetching' || is === 'failed') && is,
  ]
    .filter(Boolean)
    .join(' | ');
}

/**
 * Moves the focus to the heading of a new screen, and names the page after it. The first screen keeps the focus where the browser put it, also
 * when it is still to be fetched.
 */
function useHeading(key: string | null, isFetching: boolean, insurer: string) {
  const main = useRef<HTMLElement>(null);
  const shown = useRef<string | null>(null);
  useEffect(() => {
    const title = main.current?.querySelector('h1');
    document.title = [title?.textContent, insurer].filter(Boolean).join(' · ');
    if (shown.current !== null && shown.current !== key && title) {
      window.scrollTo(0, 0);
      // A field that asks for the focus itself, after an error, keeps it.
      if (!main.current?.querySelector('dialog[open]') && document.activeElement?.getAttribute('aria-invalid') !== 'true') title.focus();
    }
    if (shown.current !== null || !isFetching) shown.current = key;
  });
  return main;
}
