// Original file: proto/anchorage/v1/learner.proto

import type { PolicyRef as _anchorage_v1_PolicyRef, PolicyRef__Output as _anchorage_v1_PolicyRef__Output } from '../../anchorage/v1/PolicyRef.ts';
import type { Tensor as _anchorage_v1_Tensor, Tensor__Output as _anchorage_v1_Tensor__Output } from '../../anchorage/v1/Tensor.ts';
import type { EpisodeEnd as _anchorage_v1_EpisodeEnd, EpisodeEnd__Output as _anchorage_v1_EpisodeEnd__Output } from '../../anchorage/v1/EpisodeEnd.ts';
import type { Long } from '@grpc/proto-loader';

export interface Rollout {
  'lease_id'?: (number | string | Long);
  'run_id'?: (string);
  'generation'?: (number);
  'env_batch'?: (number);
  'round'?: (number);
  'policy'?: (_anchorage_v1_PolicyRef | null);
  'actor_id'?: (string);
  'observations'?: (_anchorage_v1_Tensor | null);
  'initial_stack'?: (_anchorage_v1_Tensor | null);
  'stack_refilled'?: (_anchorage_v1_Tensor | null);
  'actions'?: (_anchorage_v1_Tensor | null);
  'log_probs'?: (_anchorage_v1_Tensor | null);
  'values'?: (_anchorage_v1_Tensor | null);
  'next_values'?: (_anchorage_v1_Tensor | null);
  'rewards'?: (_anchorage_v1_Tensor | null);
  'terminated'?: (_anchorage_v1_Tensor | null);
  'truncated'?: (_anchorage_v1_Tensor | null);
  'final_indices'?: (_anchorage_v1_Tensor | null);
  'final_observations'?: (_anchorage_v1_Tensor | null);
  'episodes'?: (_anchorage_v1_EpisodeEnd)[];
  'end_state'?: (Buffer | Uint8Array | string);
  'end_state_digest'?: (string);
  'checksum'?: (number);
  'environment_seconds'?: (number | string);
  'inference_seconds'?: (number | string);
  'total_seconds'?: (number | string);
}

export interface Rollout__Output {
  'lease_id': (number);
  'run_id': (string);
  'generation': (number);
  'env_batch': (number);
  'round': (number);
  'policy': (_anchorage_v1_PolicyRef__Output | null);
  'actor_id': (string);
  'observations': (_anchorage_v1_Tensor__Output | null);
  'initial_stack': (_anchorage_v1_Tensor__Output | null);
  'stack_refilled': (_anchorage_v1_Tensor__Output | null);
  'actions': (_anchorage_v1_Tensor__Output | null);
  'log_probs': (_anchorage_v1_Tensor__Output | null);
  'values': (_anchorage_v1_Tensor__Output | null);
  'next_values': (_anchorage_v1_Tensor__Output | null);
  'rewards': (_anchorage_v1_Tensor__Output | null);
  'terminated': (_anchorage_v1_Tensor__Output | null);
  'truncated': (_anchorage_v1_Tensor__Output | null);
  'final_indices': (_anchorage_v1_Tensor__Output | null);
  'final_observations': (_anchorage_v1_Tensor__Output | null);
  'episodes': (_anchorage_v1_EpisodeEnd__Output)[];
  'end_state': (Buffer);
  'end_state_digest': (string);
  'checksum': (number);
  'environment_seconds': (number);
  'inference_seconds': (number);
  'total_seconds': (number);
}
