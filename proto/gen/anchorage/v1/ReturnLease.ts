// Original file: proto/anchorage/v1/learner.proto

import type { Long } from '@grpc/proto-loader';

export interface ReturnLease {
  'lease_id'?: (number | string | Long);
  'reason'?: (string);
  'need_state'?: (boolean);
}

export interface ReturnLease__Output {
  'lease_id': (number);
  'reason': (string);
  'need_state': (boolean);
}
