// Original file: proto/anchorage/v1/learner.proto

import type { PolicyRef as _anchorage_v1_PolicyRef, PolicyRef__Output as _anchorage_v1_PolicyRef__Output } from '../../anchorage/v1/PolicyRef.ts';

export interface NeedPolicy {
  'policy'?: (_anchorage_v1_PolicyRef | null);
}

export interface NeedPolicy__Output {
  'policy': (_anchorage_v1_PolicyRef__Output | null);
}
