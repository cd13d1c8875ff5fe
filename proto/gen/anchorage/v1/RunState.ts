// Original file: proto/anchorage/v1/coordinator.proto

export const RunState = {
  RUN_STATE_UNSPECIFIED: 'RUN_STATE_UNSPECIFIED',
  RUNNING: 'RUNNING',
  PAUSED: 'PAUSED',
  STOPPING: 'STOPPING',
  FINISHED: 'FINISHED',
  FAILED: 'FAILED',
} as const;

export type RunState =
  | 'RUN_STATE_UNSPECIFIED'
  | 0
  | 'RUNNING'
  | 1
  | 'PAUSED'
  | 2
  | 'STOPPING'
  | 3
  | 'FINISHED'
  | 4
  | 'FAILED'
  | 5

export type RunState__Output = typeof RunState[keyof typeof RunState]
