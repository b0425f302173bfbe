/** Help: the code to read out, how to reach the insurer, the common questions. */

import type { State } from '../app/model.ts';
import { Code, Contact, Notice, Section, Title, type Props } from './parts.tsx';

/** The support code of what went wrong just now. */
export function codeOf(state: State): string | null {
  const problems = [state.problem, state.card?.problem, state.request?.problem, state.account.problem, state.enrolment?.problem];
  return problems.find((problem) => problem?.supportCode)?.supportCode ?? null;
}

export function Help({ state, t, code }: Props & { code: string | null }) {
  return (
    <>
      <Title>{t.help.title}</Title>
      <Section title={t.help.contactTitle(state.config.insurer)}>
        <Contact config={state.config} t={t} />
      </Section>
      <Section title={t.help.codeTitle}>
        {code === null ? (
          <p>{t.help.codeNone}</p>
        ) : (
          <>
            <Code code={code} label={t.problem.code} />
            <p>{t.help.codeHelp}</p>
          </>
        )}
      </Section>
      <Section title={t.help.questionsTitle}>
        {t.help.questions.map(({ question, answer }) => (
          <details key={question}>
            <summary>{question}</summary>
            <div>
              <p>{answer}</p>
            </div>
          </details>
        ))}
      </Section>
      <Notice look="warn" title={t.help.scamTitle}>
        <p>{t.help.scam}</p>
      </Notice>
    </>
  );
}
