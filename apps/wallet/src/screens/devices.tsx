/** Her devices: rename, lock, unlock, remove; last use; and which one she is holding. */

import { useState } from 'preact/hooks';
import type { DeviceEntry } from '../app/model.ts';
import { Account } from './account.tsx';
import { Button, Buttons, Confirm, Facts, Field, Form, type MoreProps } from './parts.tsx';

type Asked = { what: 'lock' | 'remove' | 'rename'; device: DeviceEntry };

export function Devices(props: MoreProps) {
  const { state, act, t } = props;
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);
  const none = state.account.state === 'open' && state.account.devices.length === 0;
  return (
    <Account {...props} title={t.devices.title} {...(none ? {} : { intro: t.devices.intro })}>
      {none && <p class="lead">{t.devices.none}</p>}
      <ul class="plain-list">
        {state.account.devices.map((device) => (
          <li key={device.id}>
            <Device {...props} device={device} onAsk={(what) => setAsked({ what, device })} />
          </li>
        ))}
      </ul>
      {!state.device && (
        <Buttons>
          <Button onPress={() => act.beginEnrolment()}>{t.devices.add}</Button>
        </Buttons>
      )}
      {state.device && state.config.moves && (
        <Buttons>
          <Button look="calm" onPress={() => act.beginMove()}>
            {t.move.begin}
          </Button>
        </Buttons>
      )}
      {asked?.what === 'lock' && (
        <Confirm
          title={t.devices.lockTitle(asked.device.name)}
          yes={t.devices.lockConfirm}
          no={t.devices.keep}
          onNo={close}
          onYes={() => {
            close();
            act.lockDevice(asked.device.id);
          }}
        >
          {asked.device.isThis && <p>{t.devices.removeThis}</p>}
          <p>{t.devices.lockHelp}</p>
        </Confirm>
      )}
      {asked?.what === 'remove' && (
        <Confirm
          title={t.devices.removeTitle(asked.device.name)}
          yes={t.devices.removeConfirm}
          no={t.devices.keep}
          onNo={close}
          onYes={() => {
            close();
            act.removeDevice(asked.device.id);
          }}
        >
          {asked.device.isThis && <p>{t.devices.removeThis}</p>}
          <p>{t.devices.removeHelp}</p>
        </Confirm>
      )}
      {asked?.what === 'rename' && <Rename {...props} device={asked.device} onClose={close} />}
    </Account>
  );
}

function Device({ state, act, t, device, onAsk }: MoreProps & { device: DeviceEntry; onAsk: (what: Asked['what']) => void }) {
  const due = device.validUntil !== null && device.validUntil <= state.now;
  const about = (what: string) => t.devices.about(what, device.name);
  const facts: [string, string][] = [
    [t.devices.kind, device.kind === 'passkey' ? t.devices.kindPasskey : t.devices.kindKey],
    [t.devices.lastUse, device.lastUsed === null ? t.devices.never : t.dateTime(device.lastUsed)],
    [t.devices.since, t.date(device.boundAt)],
  ];
  if (device.validUntil !== null) facts.push([t.devices.validUntil, t.date(device.validUntil)]);
  return (
    <article class="own-device">
      <h2>{device.name}</h2>
      <p class="tags">
        {device.isThis && <span class="tag good">{t.devices.this}</span>}
        {device.locked && <span class="tag bad">{t.devices.locked}</span>}
        {due && <span class="tag warn">{t.devices.due}</span>}
        {device.class === 'passkey-own-pages' && <span class="tag">{t.devices.ownPagesOnly}</span>}
      </p>
      <Facts facts={facts} />
      <Buttons>
        <Button look="calm" label={about(t.devices.rename)} onPress={() => onAsk('rename')}>
          {t.devices.rename}
        </Button>
        {device.locked ? (
          <Button look="calm" label={about(t.devices.unlock)} onPress={() => act.unlockDevice(device.id)}>
            {t.devices.unlock}
          </Button>
        ) : (
          <Button look="calm" label={about(t.devices.lock)} onPress={() => onAsk('lock')}>
            {t.devices.lock}
          </Button>
        )}
        <Button look="calm" label={about(t.devices.remove)} onPress={() => onAsk('remove')}>
          {t.devices.remove}
        </Button>
      </Buttons>
    </article>
  );
}

function Rename({ act, t, device, onClose }: MoreProps & { device: DeviceEntry; onClose: () => void }) {
  const [name, setName] = useState(device.name);
  const [tried, setTried] = useState(false);
  const empty = name.trim() === '';
  const save = () => {
    setTried(true);
    if (empty) return;
    onClose();
    if (name.trim() !== device.name) act.renameDevice(device.id, name.trim());
  };
  return (
    <Confirm title={t.devices.renameTitle} yes={t.devices.renameSave} no={t.common.cancel} danger={false} onYes={save} onNo={onClose}>
      <Form onSubmit={save}>
        <Field
          label={t.devices.renameLabel}
          hint={t.enrol.nameHint}
          error={tried && empty ? t.enrol.nameEmpty : undefined}
          value={name}
          longest={64}
          focus
          onInput={setName}
        />
      </Form>
    </Confirm>
  );
}
