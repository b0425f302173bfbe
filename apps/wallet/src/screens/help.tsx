/** Help: the code to read out, how to reach the insurer, the common questions. */

import { Code, Contact, Notice, Section, Title, type Props } from './parts.tsx';

export function Help({ state, t }: Props) {
  const problems = [state.problem, state.request?.problem, state.account.problem, state.enrolment?.problem, state.card?.problem];
  const code = problems.find((problem) => problem?.supportCode)?.supportCode ?? null;
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
