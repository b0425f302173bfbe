/** A request that began on another device: where that is, the warning, and the number that ties the two together. */

import type { ComponentChildren } from 'preact';
import type { AskedRequest, OtherDevice } from '../app/model.ts';
import type { Service } from '../core/types.ts';
import { Button, Buttons, Facts, Field, Section, Title, type Props } from './parts.tsx';
import { ProblemNotice } from './problem.tsx';

type ElsewhereProps = Props & { request: AskedRequest; service: Service; from: OtherDevice; time: ComponentChildren; how: ComponentChildren };

/** The warning comes before everything else, and stopping is one tap. */
export function Elsewhere({ state, act, t, request, service, from, time, how }: ElsewhereProps) {
  const device = request.deviceAnswers === 'yes';
  const busy = state.busy !== null;
  return (
    <>
      <Title>{t.elsewhere.title(service.name)}</Title>
      <div class="notice warn">
        <p class="notice-title">{t.elsewhere.warning}</p>
        <p>{t.elsewhere.warningHelp}</p>
        <Buttons>
          <Button look="danger" onPress={() => act.abort('phone-call')}>
            {t.elsewhere.phone}
          </Button>
        </Buttons>
      </div>
      {time}
      {request.problem && <ProblemNotice problem={request.problem} t={t} />}
      <Origin from={from} t={t} />
      {how}
      <Buttons>
        <Button busy={busy} onPress={() => (device ? act.answerWithDevice() : act.answerWithCard())}>
          {t.elsewhere.next}
        </Button>
        <Button look="equal" onPress={() => act.abort('not-me')}>
          {t.elsewhere.notMe}
        </Button>
        {device && (
          <Button look="link" busy={busy} onPress={() => act.answerWithCard()}>
            {t.request.useCard}
          </Button>
        )}
      </Buttons>
    </>
  );
}

export function Origin({ from, t }: { from: OtherDevice; t: Props['t'] }) {
  const known = from.browser !== '' && from.system !== '';
  // Where nobody can tell, nothing is said.
  const network: [string, string][] =
    from.network === null ? [] : [[t.elsewhere.network, from.network === 'same' ? t.elsewhere.networkSame : t.elsewhere.networkOther]];
  return (
    <Section title={t.elsewhere.originTitle}>
      <Facts
        facts={[
          [t.elsewhere.device, known ? t.elsewhere.deviceIs(from.browser, from.system) : t.elsewhere.deviceUnknown],
          ...network,
          [t.elsewhere.asked, t.time(from.askedAt)],
        ]}
      />
    </Section>
  );
}

/** The two digits, or `undefined`. */
export function numberOf(typed: string): string | undefined {
  const digits = typed.replace(/\s/g, '');
  return /^\d{2}$/.test(digits) ? digits : undefined;
}

type NumberProps = { typed: string; error: string | undefined; t: Props['t']; onType: (typed: string) => void };

export function NumberField({ typed, error, t, onType }: NumberProps) {
  return (
    <Section title={t.elsewhere.numberTitle}>
      <Field label={t.elsewhere.numberLabel} hint={t.elsewhere.numberHint} error={error} value={typed} digits longest={3} onInput={onType} />
    </Section>
  );
}
