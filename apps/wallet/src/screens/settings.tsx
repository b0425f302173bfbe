/** This browser: language, installing, forgetting. */

import { useState } from 'preact/hooks';
import type { Wake } from '../app/model.ts';
import { LANGUAGE_NAMES, LANGUAGE_TAGS } from '../texts/format.ts';
import { Button, Buttons, Check, Confirm, Notice, Section, Title, type MoreProps, type Props } from './parts.tsx';
import { ProblemNotice } from './problem.tsx';

export function Settings(props: MoreProps) {
  const { state, act, t } = props;
  const [asked, setAsked] = useState(false);
  return (
    <>
      <Title>{t.settings.title}</Title>
      <fieldset class="group">
        <legend>
          <h2>{t.settings.languageTitle}</h2>
        </legend>
        <p class="hint">{t.settings.languageHelp}</p>
        <ul class="choice-list">
          {state.config.languages.map((language) => (
            <li key={language}>
              <label lang={LANGUAGE_TAGS[language]}>
                <input type="radio" name="language" checked={language === state.language} onChange={() => act.setLanguage(language)} />
                <span class="text">{LANGUAGE_NAMES[language]}</span>
              </label>
            </li>
          ))}
        </ul>
      </fieldset>
      <Section title={t.settings.themeTitle}>
        <p>{t.settings.themeHelp}</p>
      </Section>
      {state.device?.kind === 'device-key' && <AppPin {...props} />}
      {state.wake && <WakeUp {...props} wake={state.wake} />}
      {state.install !== 'no' && (
        <Section title={t.settings.installTitle}>
          {state.install === 'installed' ? (
            <p>{t.settings.installed}</p>
          ) : (
            <>
              <p>{t.settings.installHelp}</p>
              <Buttons>
                <Button look="calm" onPress={() => act.install()}>
                  {t.settings.install}
                </Button>
              </Buttons>
            </>
          )}
        </Section>
      )}
      <Section title={t.settings.forgetTitle}>
        {state.device && !state.persisted && <Notice look="warn">{t.settings.notKept}</Notice>}
        <p>{t.settings.forgetHelp}</p>
        <Buttons>
          <Button look="danger" onPress={() => setAsked(true)}>
            {t.settings.forget}
          </Button>
        </Buttons>
      </Section>
      {asked && (
        <Confirm
          title={t.settings.forgetConfirmTitle}
          yes={t.settings.forgetConfirm}
          no={t.settings.keep}
          onNo={() => setAsked(false)}
          onYes={() => {
            setAsked(false);
            act.forgetEverything();
          }}
        >
          <p>{t.settings.forgetHelp}</p>
        </Confirm>
      )}
    </>
  );
}

/** A passkey has its own. */
function AppPin({ state, act, t }: Props) {
  const busy = state.busy !== null;
  return (
    <Section title={t.pin.settingsTitle}>
      <p>{state.device?.pin ? t.pin.has : t.pin.hasNone}</p>
      <Buttons>
        {state.device?.pin && (
          <Button look="calm" busy={busy} onPress={() => act.changePin()}>
            {t.pin.change}
          </Button>
        )}
        <Button look="calm" busy={busy} onPress={() => act.newPin()}>
          {state.device?.pin ? t.pin.newByCard : t.pin.add}
        </Button>
      </Buttons>
    </Section>
  );
}

/** Whether it is told when a login waits. Off until she wants it. */
function WakeUp({ state, act, t, wake: { is, until, problem } }: MoreProps & { wake: Wake }) {
  const hasPin = state.device?.pin != null;
  return (
    <Section title={t.wake.title}>
      <Check
        isSwitch
        label={t.wake.label}
        hint={t.wake.hint}
        checked={is === 'on' || is === 'pending'}
        onChange={(on) => act.setWake(on)}
      />
      <p class="hint">{t.wake.who}</p>
      {problem && <ProblemNotice problem={problem} t={t} />}
      {until !== null && <p>{hasPin ? t.wake.onPin(t.date(until)) : t.wake.on(t.date(until))}</p>}
      {is === 'pending' && <p>{hasPin ? t.wake.pendingPin : t.wake.pending}</p>}
      {is === 'untold' && <p>{t.wake.untold}</p>}
    </Section>
  );
}
