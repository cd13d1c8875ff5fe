// Original file: proto/anchorage/v1/coordinator.proto

import type { Run as _anchorage_v1_Run, Run__Output as _anchorage_v1_Run__Output } from '../../anchorage/v1/Run.ts';

export interface RegisterReply {
  'member_id'?: (string);
  'run'?: (_anchorage_v1_Run | null);
  'generation'?: (number);
}

export interface RegisterReply__Output {
  'member_id': (string);
  'run': (_anchorage_v1_Run__Output | null);
  'generation': (number);
}
