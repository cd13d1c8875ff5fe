// Original file: proto/anchorage/v1/coordinator.proto

import type { Role as _anchorage_v1_Role, Role__Output as _anchorage_v1_Role__Output } from '../../anchorage/v1/Role.ts';

export interface HeartbeatRequest {
  'member_id'?: (string);
  'role'?: (_anchorage_v1_Role);
  'generation'?: (number);
  'status_json'?: (string);
  'leaving'?: (boolean);
}

export interface HeartbeatRequest__Output {
  'member_id': (string);
  'role': (_anchorage_v1_Role__Output);
  'generation': (number);
  'status_json': (string);
  'leaving': (boolean);
}
