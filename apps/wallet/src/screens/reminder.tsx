/** Said on the first page in time before this device needs the card again. */

import type { OwnDevice } from '../app/model.ts';
import { Button, Buttons, Notice, type Props } from './parts.tsx';

export const DAY = 86_400;
/** Days before the end at which she is reminded, the last first. */
const REMINDER_DAYS = [1, 7, 30];

/** The reminder that is due: its number of days, 0 when the time is over, `undefined` when there is none yet. */
export function reminderDue(device: OwnDevice, now: number): number | undefined {
  const left = device.validUntil - now;
  if (left <= 0) return 0;
  return reminderDays(device).find((days) => left <= days * DAY);
}

/** A device that never had so many days is not reminded of them from its first minute on. */
export function reminderDays(device: OwnDevice): number[] {
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
