/** What she allowed for good, and taking it back. */

import { useState } from 'preact/hooks';
import type { ConsentEntry } from '../app/model.ts';
import { Account } from './account.tsx';
import { Button, Buttons, claimName, Confirm, type MoreProps } from './parts.tsx';

export function Consents(props: MoreProps) {
  const { state, act, t } = props;
  const [asked, setAsked] = useState<ConsentEntry | null>(null);
  const none = state.account.state === 'open' && state.account.consents.length === 0;
  return (
    <Account {...props} title={t.consents.title} {...(none ? {} : { intro: t.consents.intro })}>
      {none && <p class="lead">{t.consents.none}</p>}
      <ul class="plain-list">
        {state.account.consents.map((consent) => (
          <li key={consent.id}>
            <article class="entry">
              <h2>{consent.service}</h2>
              <p>
                {t.consents.shared} {t.list(consent.shared.map((claim) => claimName(t, claim)))}
              </p>
              <p class="hint">{t.consents.since(t.date(consent.decidedAt))}</p>
              <Buttons>
                <Button look="calm" label={t.devices.about(t.consents.revoke, consent.service)} onPress={() => setAsked(consent)}>
                  {t.consents.revoke}
                </Button>
              </Buttons>
            </article>
          </li>
        ))}
      </ul>
      {asked && (
        <Confirm
          title={t.consents.revokeTitle(asked.service)}
          yes={t.consents.revokeConfirm}
          no={t.devices.keep}
          onNo={() => setAsked(null)}
          onYes={() => {
            setAsked(null);
            act.revokeConsent(asked.id);
          }}
        >
          <p>{t.consents.revokeHelp}</p>
        </Confirm>
      )}
    </Account>
  );
}
