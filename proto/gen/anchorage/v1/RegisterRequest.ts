// Original file: proto/anchorage/v1/coordinator.proto

import type { Role as _anchorage_v1_Role, Role__Output as _anchorage_v1_Role__Output } from '../../anchorage/v1/Role.ts';

export interface RegisterRequest {
  'role'?: (_anchorage_v1_Role);
  'host'?: (string);
  'pid'?: (number);
  'build'?: (string);
  'fingerprint_json'?: (string);
  'learner_address'?: (string);
  'metrics_port'?: (number);
}

export interface RegisterRequest__Output {
  'role': (_anchorage_v1_Role__Output);
  'host': (string);
  'pid': (number);
  'build': (string);
  'fingerprint_json': (string);
  'learner_address': (string);
  'metrics_port': (number);
}
