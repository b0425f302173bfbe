/** How long this device goes without the card, and renewing it early. */

import { Button, Buttons, Facts, Title, type MoreProps } from './parts.tsx';
import { DAY, reminderDays } from './reminder.tsx';

export function Timers({ state, act, t }: MoreProps) {
  const { device } = state;
  if (!device) {
    return (
      <>
        <Title>{t.timers.title}</Title>
        <p class="lead">{t.home.notReady}</p>
        <Buttons>
          <Button onPress={() => act.beginEnrolment()}>{t.devices.add}</Button>
        </Buttons>
      </>
    );
  }
  const left = device.validUntil - state.now;
  const reminders = [...reminderDays(device)].reverse();
  return (
    <>
      <Title>{t.timers.title}</Title>
      <p class="lead">{t.timers.intro}</p>
      <article class="own-device">
        <h2>{device.name}</h2>
        <p class="tags">
          <span class="tag good">{t.devices.this}</span>
          {left <= 0 && <span class="tag warn">{t.timers.over}</span>}
        </p>
        <Facts
          facts={[
            [t.devices.validUntil, t.dateTime(device.validUntil)],
            ...(left <= 0 ? [] : [[t.timers.leftName, t.span(left)] as [string, string]]),
          ]}
        />
      </article>
      <Buttons>
        <Button busy={state.busy !== null} onPress={() => act.renewDevice()}>
          {t.timers.renew}
        </Button>
      </Buttons>
      {reminders.length > 0 && <p class="hint">{t.timers.reminder(t.list(reminders.map((days) => t.span(days * DAY))))}</p>}
    </>
  );
}
