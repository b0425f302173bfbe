/** How long this device goes without the card, and renewing it early. */

import type { OwnDevice } from '../app/model.ts';
import { Button, Buttons, Facts, Notice, Title, type Props } from './parts.tsx';

const DAY = 86_400;
/** Days before the end at which she is reminded, the last first. */
const REMINDER_DAYS = [1, 7, 30];

/** The reminder that is due: its number of days, 0 when the time is over, `undefined` when there is none yet. */
export function reminderDue(device: OwnDevice, now: number): number | undefined {
  const left = device.validUntil - now;
  if (left <= 0) return 0;
  return reminderDays(device).find((days) => left <= days * DAY);
}

/** A device that never had so many days is not reminded of them from its first minute on. */
function reminderDays(device: OwnDevice): number[] {
  return REMINDER_DAYS.filter((days) => device.validUntil - device.boundAt > days * DAY);
}

export function Reminder({ state, act, t }: Props) {
  const { device } = state;
  const due = device ? reminderDue(device, state.now) : undefined;
  if (!device || due === undefined) return null;
  const title = due === 0 ? t.timers.overFor(device.name) : t.timers.soon(device.name, t.span(device.validUntil - state.now));
  return (
    <Notice look="warn" title={title}>
      <p>{t.timers.soonHelp}</p>
      <Buttons>
        <Button busy={state.busy !== null} onPress={() => act.renewDevice()}>
          {t.timers.renew}
        </Button>
      </Buttons>
    </Notice>
  );
}

export function Timers({ state, act, t }: Props) {
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
