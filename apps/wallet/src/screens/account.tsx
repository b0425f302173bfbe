/** What belongs to her account is shown after a login only. */

import type { ComponentChildren } from 'preact';
import { Button, Buttons, Title, type Props } from './parts.tsx';
import { ProblemNotice, ProblemScreen } from './problem.tsx';

/** The screen of an account, or the login to it. `before`: what may be seen without. */
export function Account(props: Props & { title: string; intro?: string; before?: ComponentChildren; children: ComponentChildren }) {
  const { state, act, t, title, intro } = props;
  const { account } = state;
  if (account.state === 'open') {
    return (
      <>
        <Title>{title}</Title>
        {intro !== undefined && <p class="lead">{intro}</p>}
        {account.problem && <ProblemNotice problem={account.problem} t={t} />}
        {props.children}
      </>
    );
  }
  if (account.problem) return <ProblemScreen {...props} problem={account.problem} />;
  const busy = state.busy !== null;
  return (
    <>
      <Title>{title}</Title>
      {intro !== undefined && <p class="lead">{intro}</p>}
      {props.before}
      <p>{t.home.locked}</p>
      <Buttons>
        {state.device && (
          <Button busy={busy} onPress={() => act.openAccount('device')}>
            {t.home.unlock}
          </Button>
        )}
        <Button look={state.device ? 'calm' : 'strong'} busy={busy} onPress={() => act.openAccount('card')}>
          {t.home.unlockCard}
        </Button>
      </Buttons>
    </>
  );
}
