/** All that is stored about her: a copy of it, and erasing it. */

import { useState } from 'preact/hooks';
import type { Erased } from '../app/model.ts';
import { Account } from './account.tsx';
import { Button, Buttons, Confirm, Field, Form, Section, Title, type MoreProps } from './parts.tsx';

export function Data(props: MoreProps) {
  const { state, act, t } = props;
  const [asked, setAsked] = useState(false);
  if (state.account.erased) return <Gone {...props} erased={state.account.erased} />;
  return (
    <Account {...props} title={t.data.title}>
      <Section title={t.data.exportTitle}>
        <p>{t.data.exportHelp}</p>
        <Buttons>
          <Button busy={state.busy !== null} onPress={() => act.exportData()}>
            {t.data.export}
          </Button>
        </Buttons>
      </Section>
      <Section title={t.data.eraseTitle}>
        <p>{t.data.eraseHelp}</p>
        <Buttons>
          <Button look="danger" onPress={() => setAsked(true)}>
            {t.data.erase}
          </Button>
        </Buttons>
      </Section>
      {asked && <Erase {...props} onClose={() => setAsked(false)} />}
    </Account>
  );
}

/** Cannot be undone, so a word has to be typed first. */
function Erase({ act, t, onClose }: MoreProps & { onClose: () => void }) {
  const [word, setWord] = useState('');
  const [tried, setTried] = useState(false);
  const right = word.trim().toLowerCase() === t.data.eraseWord;
  const erase = () => {
    setTried(true);
    if (!right) return;
    onClose();
    act.erase();
  };
  return (
    <Confirm title={t.data.eraseConfirmTitle} yes={t.data.eraseConfirm} no={t.data.keep} onYes={erase} onNo={onClose}>
      <p>{t.data.eraseConfirmHelp}</p>
      <Form onSubmit={erase}>
        <Field
          label={t.data.eraseTyped(t.data.eraseWord)}
          error={tried && !right ? t.data.eraseMistyped(t.data.eraseWord) : undefined}
          value={word}
          longest={24}
          onInput={setWord}
        />
      </Form>
    </Confirm>
  );
}

function Gone({ act, t, erased }: MoreProps & { erased: Erased }) {
  return (
    <>
      <Title>{t.data.erasedTitle}</Title>
      {erased.kept.length === 0 ? (
        <p>{t.data.keptNothing}</p>
      ) : (
        <Section title={t.data.keptTitle}>
          <ul>
            {erased.kept.map((kept) => {
              // What the provider has newly found to name comes in its own words.
              const { title, help } = (t.kept as Record<string, { title: string; help: string }>)[kept.what] ?? { title: kept.what, help: kept.why };
              return (
                <li key={kept.what}>
                  <strong>{title}</strong>
                  <span class="hint">
                    {help}
                    {kept.until !== null && ` (${t.data.keptUntil(t.dateTime(kept.until))})`}
                  </span>
                </li>
              );
            })}
          </ul>
        </Section>
      )}
      <Buttons>
        <Button onPress={() => act.go('start')}>{t.steps.home}</Button>
      </Buttons>
    </>
  );
}
