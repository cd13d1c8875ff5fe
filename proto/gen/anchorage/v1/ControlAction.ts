// Original file: proto/anchorage/v1/coordinator.proto

export const ControlAction = {
  STATUS: 'STATUS',
  PAUSE: 'PAUSE',
  RESUME: 'RESUME',
  STOP: 'STOP',
} as const;

export type ControlAction =
  | 'STATUS'
  | 0
  | 'PAUSE'
  | 1
  | 'RESUME'
  | 2
  | 'STOP'
  | 3

export type ControlAction__Output = typeof ControlAction[keyof typeof ControlAction]
