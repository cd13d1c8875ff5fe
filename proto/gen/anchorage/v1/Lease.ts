// Original file: proto/anchorage/v1/learner.proto

import type { PolicyRef as _anchorage_v1_PolicyRef, PolicyRef__Output as _anchorage_v1_PolicyRef__Output } from '../../anchorage/v1/PolicyRef.ts';
import type { Long } from '@grpc/proto-loader';

export interface Lease {
  'lease_id'?: (number | string | Long);
  'generation'?: (number);
  'env_batch'?: (number);
  'round'?: (number);
  'policy'?: (_anchorage_v1_PolicyRef | null);
  'state_digest'?: (string);
  'state'?: (Buffer | Uint8Array | string);
  'expires_in_ms'?: (number);
}

export interface Lease__Output {
  'lease_id': (number);
  'generation': (number);
  'env_batch': (number);
  'round': (number);
  'policy': (_anchorage_v1_PolicyRef__Output | null);
  'state_digest': (string);
  'state': (Buffer);
  'expires_in_ms': (number);
}
