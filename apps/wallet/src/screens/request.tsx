/** A service asks: who, for what, how; and the answer. */

import { useState } from 'preact/hooks';
import type { AskedRequest, Choice } from '../app/model.ts';
import type { ClaimNames, Service } from '../core/types.ts';
import { Elsewhere, NumberField, numberOf, Origin } from './elsewhere.tsx';
import { Button, Buttons, Check, ClaimList, claimName, Notice, Section, Title, type Props } from './parts.tsx';
import { Pin } from './pin.tsx';
import { ProblemNotice, ProblemScreen } from './problem.tsx';
import { Result } from './result.tsx';

type Asked = Props & { request: AskedRequest; service: Service; claims: ClaimNames };

export function Request(props: Props) {
  const { request } = props.state;
  if (!request) return null;
  // What she chose belongs to this request only.
  return <One key={request.id} {...props} request={request} />;
}

function One(props: Props & { request: AskedRequest }) {
  const { state, act, t, request } = props;
  const { service, claims } = request;
  const [choice, setChoice] = useState(request.choice);

  if (request.step === 'over') return request.problem ? <ProblemScreen {...props} problem={request.problem} /> : <Result {...props} request={request} />;
  if (request.step === 'done') return <Result {...props} request={request} />;
  if (request.step === 'loading' || !service || !claims) {
    if (request.problem) return <ProblemScreen {...props} problem={request.problem} />;
    return <Title>{t.common.moment}</Title>;
  }
  if (state.pin?.purpose === 'request') return <Pin {...props} step={state.pin} />;
  if (request.step === 'signing' || (request.step === 'decide' && request.agreed)) {
    return <Title>{t.common.moment}</Title>;
  }
  const more = { ...props, request, service, claims };
  if (request.step === 'ask' && request.otherDevice) return <Elsewhere {...more} from={request.otherDevice} time={<MoreTime {...more} />} how={<How {...more} />} />;
  if (request.step === 'decide') return <Decide {...more} choice={choice} onChoice={setChoice} />;
  const device = request.deviceAnswers === 'yes';
  const byDevice = state.device?.kind === 'passkey' ? t.request.acceptPasskey : t.request.accept;
  return (
    <>
      <Asker {...more} />
      <MoreTime {...more} />
      {request.problem && <ProblemNotice problem={request.problem} t={t} />}
      <Items {...more} choice={choice} onChoice={setChoice} />
      <How {...more} />
      <Buttons>
        {device ? (
          <Button busy={state.busy !== null} onPress={() => act.answerWithDevice(choice)}>
            {byDevice}
          </Button>
        ) : (
          <Button busy={state.busy !== null} onPress={() => act.answerWithCard(choice)}>
            {t.request.acceptCard}
          </Button>
        )}
        <Button look="equal" busy={state.busy !== null} onPress={() => act.decline()}>
          {t.request.decline}
        </Button>
        {device && (
          <Button look="link" busy={state.busy !== null} onPress={() => act.answerWithCard(choice)}>
            {t.request.useCard}
          </Button>
        )}
        {request.deviceAnswers === 'not-enrolled' && (
          <Button look="link" busy={state.busy !== null} onPress={() => act.beginEnrolment()}>
            {t.request.enrolFirst}
          </Button>
        )}
      </Buttons>
    </>
  );
}

/** From so many seconds before the end she is warned; WCAG 2.2.1 asks for twenty. */
const SOON_SECONDS = 180;

/** Warns her in time, where a screen reader says it in its next pause, and gives her more. */
function MoreTime({ state, act, t, request }: Asked) {
  const [isGiven, setGiven] = useState(false);
  const end = request.endsAt;
  if (end === null) return null;
  const isSoon = end - state.now <= SOON_SECONDS;
  const words = isSoon ? t.moreTime.soon(t.time(end)) : t.moreTime.given(t.time(end));
  const more = !request.extendable ? t.moreTime.last : request.otherDevice ? t.moreTime.elsewhere : t.moreTime.help;
  const ask = () => {
    setGiven(true);
    act.moreTime();
  };
  return (
    <div role="status">
      {(isSoon || isGiven) && (
        <div class={isSoon ? 'notice warn' : 'notice'}>
          <p class="notice-title">{words}</p>
          {(isSoon || request.otherDevice) && <p>{more}</p>}
          {request.extendable && (
            <Buttons>
              <Button look="equal" busy={state.busy !== null} onPress={ask}>
                {t.moreTime.button}
              </Button>
            </Buttons>
          )}
        </div>
      )}
    </div>
  );
}

/** Who asks: the name as the provider signed it, always as text. */
function Asker({ service, request, t }: Asked) {
  return (
    <>
      <Title>{request.otherDevice ? t.elsewhere.title(service.name) : t.request.title(service.name)}</Title>
      <p class="genuine">{t.request.genuine}</p>
    </>
  );
}

function Items({ claims, request, t, choice, onChoice }: Asked & { choice: Choice; onChoice: (choice: Choice) => void }) {
  const { essential, voluntary } = claims;
  const setOne = (claim: string, on: boolean) =>
    onChoice({ ...choice, voluntary: voluntary.filter((name) => (name === claim ? on : choice.voluntary.includes(name))) });
  return (
    <>
      {essential.length === 0 && voluntary.length === 0 && <Notice>{t.request.nothing}</Notice>}
      {essential.length > 0 && (
        <Section title={t.request.requiredTitle}>
          <ClaimList claims={essential} t={t} />
          <p class="hint">{t.request.requiredHelp}</p>
        </Section>
      )}
      {voluntary.length > 0 && (
        <fieldset class="group">
          <legend>
            <h2>{t.request.voluntaryTitle}</h2>
          </legend>
          <p class="hint">{t.request.voluntaryHelp}</p>
          {voluntary.map((claim) => (
            <Check key={claim} isSwitch label={claimName(t, claim)} checked={choice.voluntary.includes(claim)} onChange={(on) => setOne(claim, on)} />
          ))}
        </fieldset>
      )}
      {request.remembered ? (
        <p>{t.request.remembered}</p>
      ) : (
        <Check
          label={t.request.remember}
          hint={t.request.rememberHelp}
          checked={choice.remember}
          onChange={(remember) => onChoice({ ...choice, remember })}
        />
      )}
    </>
  );
}

function How({ request, state, t }: Asked) {
  const why = { yes: null, 'not-enrolled': t.request.whyCardNoDevice, 'card-needed': t.request.whyCard, due: t.reasons['device-due'].help }[
    request.deviceAnswers
  ];
  const method =
    request.deviceAnswers !== 'yes' || !state.device
      ? t.request.methodCard
      : state.device.kind === 'passkey'
        ? t.request.methodPasskey
        : t.request.methodDevice(state.device.name);
  return (
    <Section title={t.request.howTitle}>
      <p>
        <strong>{method}</strong>
      </p>
      {why !== null && <p>{why}</p>}
      <p class="hint">{request.acr?.endsWith('-high') ? t.request.levelHigh : t.request.levelSubstantial}</p>
    </Section>
  );
}

/** The last word: on a request from another device, and where something came up between the gesture and now. */
function Decide(props: Asked & { choice: Choice; onChoice: (choice: Choice) => void }) {
  const { state, act, t, request, choice } = props;
  const [typed, setTyped] = useState('');
  const [short, setShort] = useState(false);
  const number = numberOf(typed);
  const approve = () => {
    if (state.busy !== null) return;
    if (!request.otherDevice) act.approve(choice.voluntary, choice.remember);
    else if (number === undefined) setShort(true);
    else act.approve(choice.voluntary, choice.remember, number);
  };
  return (
    <>
      <Asker {...props} />
      <MoreTime {...props} />
      {request.problem && request.problem.reason !== 'number-wrong' && <ProblemNotice problem={request.problem} t={t} />}
      <form
        novalidate
        onSubmit={(event) => {
          event.preventDefault();
          approve();
        }}
      >
        <Items {...props} />
        {request.otherDevice && (
          <>
            <Origin from={request.otherDevice} t={t} />
            <NumberField
              typed={typed}
              error={short && number === undefined ? t.elsewhere.numberShort : request.problem?.reason === 'number-wrong' ? t.reasons['number-wrong'].title : undefined}
              t={t}
              onType={setTyped}
            />
          </>
        )}
        <Buttons>
          <Button submit busy={state.busy !== null}>
            {request.otherDevice ? t.elsewhere.accept : t.request.accept}
          </Button>
          <Button look="equal" busy={state.busy !== null} onPress={() => act.decline()}>
            {t.request.decline}
          </Button>
          {request.otherDevice && (
            <Button look="danger" onPress={() => act.abort('phone-call')}>
              {t.elsewhere.phone}
            </Button>
          )}
        </Buttons>
      </form>
    </>
  );
}
