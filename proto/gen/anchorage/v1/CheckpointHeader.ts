// Original file: proto/anchorage/v1/coordinator.proto

import type { Long } from '@grpc/proto-loader';

export interface CheckpointHeader {
  'generation'?: (number);
  'update'?: (number);
  'total_bytes'?: (number | string | Long);
  'sha256'?: (string);
  'mean_return'?: (number | string);
  'refused_minibatch'?: (boolean);
}

export interface CheckpointHeader__Output {
  'generation': (number);
  'update': (number);
  'total_bytes': (number);
  'sha256': (string);
  'mean_return': (number);
  'refused_minibatch': (boolean);
}
