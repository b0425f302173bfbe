/** Every login and every other use of her data: who, when, and the names of what was shared. */

import { useEffect } from 'preact/hooks';
import type { HistoryEntry, State } from '../app/model.ts';
import type { TranslateMore } from '../texts/index.ts';
import { Account } from './account.tsx';
import { Button, Buttons, claimName, Contact, Notice, type MoreProps } from './parts.tsx';

export function History(props: MoreProps) {
  const { state, act, t } = props;
  const { account } = state;
  const missing = account.state === 'open' && account.history === null && account.problem === null && state.busy === null;
  useEffect(() => {
    if (missing) act.loadHistory();
  }, [missing]);
  return (
    <Account {...props} title={t.history.title} intro={t.history.intro}>
      {account.historyIsWhole === true && <p class="checked">{t.history.chainOk}</p>}
      {account.historyIsWhole === false && (
        <Notice look="bad" title={t.history.chainBroken}>
          <p>{t.history.chainBrokenHelp}</p>
          <Contact config={state.config} t={t} />
        </Notice>
      )}
      {account.history?.length === 0 && <p>{t.history.none}</p>}
      {account.history && account.history.length > 0 && (
        <ol class="entries">
          {account.history.map((entry) => (
            <li key={entry.id}>
              <Entry entry={entry} state={state} t={t} />
            </li>
          ))}
        </ol>
      )}
      <Buttons>
        {account.historyHasMore && (
          <Button look="calm" busy={state.busy !== null} onPress={() => act.loadHistory(true)}>
            {t.history.more}
          </Button>
        )}
      </Buttons>
      <p class="hint">{t.history.delay}</p>
      <Notice title={t.history.notMe}>
        <p>{t.history.notMeHelp}</p>
        <p>
          <a href="#/block">{t.nav.block}</a>
        </p>
      </Notice>
      <p>
        <a href="#/data">{t.data.exportTitle}</a>
      </p>
    </Account>
  );
}

/** Events that went wrong or were stopped stand out by a word and a border, not by colour alone. */
const STOPPED = ['declined', 'broken-off', 'refused', 'device-misused', 'blocked', 'not-me', 'phone-call'];

function Entry({ entry, state, t }: { entry: HistoryEntry; state: State; t: TranslateMore }) {
  const known = t.events as Record<string, string>;
  const device = entry.device === null ? undefined : state.account.devices.find((one) => one.id === entry.device);
  const what = known[entry.event] ?? t.otherEvent;
  return (
    <article class={STOPPED.includes(entry.event) ? 'entry stopped' : 'entry'}>
      <h2>{entry.service ? entry.service.name : what}</h2>
      {entry.service && (
        <p>
          <strong>{what}</strong>
        </p>
      )}
      <p>
        <time dateTime={new Date(entry.at * 1000).toISOString()}>{t.dateTime(entry.at)}</time>
      </p>
      {entry.shared.length > 0 && (
        <p>
          {entry.event === 'login' ? t.history.shared : t.history.asked} {t.list(entry.shared.map((claim) => claimName(t, claim)))}
        </p>
      )}
      {entry.service && entry.event !== 'login' && <p>{t.history.nothingShared}</p>}
      {entry.method !== null && entry.device === null && (
        <p class="hint">
          {t.history.method}: {methodName(entry.method, t)}
        </p>
      )}
      {entry.device !== null && (
        <p class="hint">
          {entry.method === null ? t.history.device : t.history.method}: {device ? device.name : t.history.removedDevice}
        </p>
      )}
      {entry.by !== 'you' && (
        <p class="hint">
          {t.history.by}: {entry.by === 'insurer' ? t.history.byInsurer : t.history.byProvider}
        </p>
      )}
    </article>
  );
}

function methodName(method: string | null, t: TranslateMore): string {
  switch (method) {
    case 'health-card':
    case 'guest-health-card':
      return t.history.methodCard;
    case 'identity-card':
      return t.history.methodIdentity;
    case 'passkey':
      return t.history.methodPasskey;
    default:
      return t.history.methodDevice;
  }
}
