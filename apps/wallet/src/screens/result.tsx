/** How a request ended, and the way back. */

import type { AskedRequest } from '../app/model.ts';
import { Button, Buttons, Contact, Notice, Title, type Props } from './parts.tsx';

export function Result({ state, act, t, request }: Props & { request: AskedRequest }) {
  const name = request.service?.name ?? t.home.someService;
  const home = (
    <Button look="calm" onPress={() => act.go('start')}>
      {t.steps.home}
    </Button>
  );
  const back = request.back !== null && <Button onPress={() => act.goBack()}>{t.result.back(name)}</Button>;
  switch (request.outcome) {
    case 'approved':
    case null:
      return (
        <>
          <Title>{request.back === null ? t.result.elsewhereTitle : t.result.doneTitle}</Title>
          <Notice look="good">
            <p>{request.back === null ? t.result.elsewhere : t.result.done(name)}</p>
            {request.back !== null && <p>{t.result.stuck}</p>}
          </Notice>
          <Buttons>
            {back}
            {home}
          </Buttons>
        </>
      );
    case 'declined':
      return (
        <>
          <Title>{t.result.declinedTitle}</Title>
          <Notice>
            <p>{t.result.declined(name)}</p>
          </Notice>
          <Buttons>
            {back}
            {home}
          </Buttons>
        </>
      );
    case 'aborted':
      return (
        <>
          <Title>{t.result.abortedTitle}</Title>
          <Notice look="good">
            <p>{t.result.aborted}</p>
          </Notice>
          <Notice look="warn" title={t.result.phoneTitle}>
            <p>{t.result.phoneCall}</p>
            <Contact config={state.config} t={t} />
          </Notice>
          <Buttons>{home}</Buttons>
        </>
      );
  }
}
