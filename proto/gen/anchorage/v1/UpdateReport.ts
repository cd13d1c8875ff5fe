// Original file: proto/anchorage/v1/coordinator.proto

import type { Episode as _anchorage_v1_Episode, Episode__Output as _anchorage_v1_Episode__Output } from '../../anchorage/v1/Episode.ts';
import type { Long } from '@grpc/proto-loader';

export interface UpdateReport {
  'generation'?: (number);
  'update'?: (number);
  'agent_steps'?: (number | string | Long);
  'metrics'?: ({[key: string]: number | string});
  'episodes'?: (_anchorage_v1_Episode)[];
  'finished'?: (boolean);
  'weights_sha256'?: (string);
  'policy'?: (Buffer | Uint8Array | string);
  'failure'?: (string);
  'actor_fingerprints'?: (string)[];
}

export interface UpdateReport__Output {
  'generation': (number);
  'update': (number);
  'agent_steps': (number);
  'metrics': ({[key: string]: number});
  'episodes': (_anchorage_v1_Episode__Output)[];
  'finished': (boolean);
  'weights_sha256': (string);
  'policy': (Buffer);
  'failure': (string);
  'actor_fingerprints': (string)[];
}
