// Original file: proto/anchorage/v1/coordinator.proto

import type { Run as _anchorage_v1_Run, Run__Output as _anchorage_v1_Run__Output } from '../../anchorage/v1/Run.ts';
import type { Member as _anchorage_v1_Member, Member__Output as _anchorage_v1_Member__Output } from '../../anchorage/v1/Member.ts';
import type { Long } from '@grpc/proto-loader';

export interface Status {
  'run'?: (_anchorage_v1_Run | null);
  'updates'?: (number);
  'agent_steps'?: (number | string | Long);
  'total_steps'?: (number | string | Long);
  'members'?: (_anchorage_v1_Member)[];
  'metrics'?: ({[key: string]: number | string});
  'weights_sha256'?: (string);
  'metrics_port'?: (number);
  'page'?: (string);
}

export interface Status__Output {
  'run': (_anchorage_v1_Run__Output | null);
  'updates': (number);
  'agent_steps': (number);
  'total_steps': (number);
  'members': (_anchorage_v1_Member__Output)[];
  'metrics': ({[key: string]: number});
  'weights_sha256': (string);
  'metrics_port': (number);
  'page': (string);
}
