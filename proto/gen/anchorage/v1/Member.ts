// Original file: proto/anchorage/v1/coordinator.proto

import type { Role as _anchorage_v1_Role, Role__Output as _anchorage_v1_Role__Output } from '../../anchorage/v1/Role.ts';

export interface Member {
  'member_id'?: (string);
  'role'?: (_anchorage_v1_Role);
  'host'?: (string);
  'pid'?: (number);
  'last_seen_seconds'?: (number | string);
  'status_json'?: (string);
}

export interface Member__Output {
  'member_id': (string);
  'role': (_anchorage_v1_Role__Output);
  'host': (string);
  'pid': (number);
  'last_seen_seconds': (number);
  'status_json': (string);
}
