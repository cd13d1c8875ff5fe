// Original file: proto/anchorage/v1/learner.proto

import type { Long } from '@grpc/proto-loader';

export interface Taken {
  'lease_id'?: (number | string | Long);
  'outcome'?: (string);
}

export interface Taken__Output {
  'lease_id': (number);
  'outcome': (string);
}
