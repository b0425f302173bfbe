/** The screens that hardly anybody sees first: fetched together, after the first one (`later.ts`). */

export { Block } from './block.tsx';
export { Cards } from './cards.tsx';
export { Consents } from './consents.tsx';
export { Data } from './data.tsx';
export { Devices } from './devices.tsx';
export { History } from './history.tsx';
export { Move } from './move.tsx';
export { Settings } from './settings.tsx';
export { Timers } from './timers.tsx';
