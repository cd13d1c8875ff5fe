// Original file: proto/anchorage/v1/coordinator.proto

import type { RunState as _anchorage_v1_RunState, RunState__Output as _anchorage_v1_RunState__Output } from '../../anchorage/v1/RunState.ts';

export interface HeartbeatReply {
  'known'?: (boolean);
  'state'?: (_anchorage_v1_RunState);
  'learner_address'?: (string);
  'generation'?: (number);
}

export interface HeartbeatReply__Output {
  'known': (boolean);
  'state': (_anchorage_v1_RunState__Output);
  'learner_address': (string);
  'generation': (number);
}
