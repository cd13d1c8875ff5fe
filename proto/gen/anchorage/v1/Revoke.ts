// Original file: proto/anchorage/v1/learner.proto

import type { Long } from '@grpc/proto-loader';

export interface Revoke {
  'lease_id'?: (number | string | Long);
  'reason'?: (string);
}

export interface Revoke__Output {
  'lease_id': (number);
  'reason': (string);
}
