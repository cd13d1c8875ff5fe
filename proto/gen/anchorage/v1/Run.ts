// Original file: proto/anchorage/v1/coordinator.proto

import type { RunState as _anchorage_v1_RunState, RunState__Output as _anchorage_v1_RunState__Output } from '../../anchorage/v1/RunState.ts';
import type { WorkingLearner as _anchorage_v1_WorkingLearner, WorkingLearner__Output as _anchorage_v1_WorkingLearner__Output } from '../../anchorage/v1/WorkingLearner.ts';

export interface Run {
  'run_id'?: (string);
  'config_json'?: (string);
  'config_digest'?: (string);
  'state'?: (_anchorage_v1_RunState);
  'learner_address'?: (string);
  'nats'?: (string);
  'generation'?: (number);
  'reproducible'?: (boolean);
  'newest_checkpoint'?: (number);
  'failure'?: (string);
  'damaged_checkpoints'?: (number);
  'build'?: (string);
  'working_learner'?: (_anchorage_v1_WorkingLearner | null);
}

export interface Run__Output {
  'run_id': (string);
  'config_json': (string);
  'config_digest': (string);
  'state': (_anchorage_v1_RunState__Output);
  'learner_address': (string);
  'nats': (string);
  'generation': (number);
  'reproducible': (boolean);
  'newest_checkpoint': (number);
  'failure': (string);
  'damaged_checkpoints': (number);
  'build': (string);
  'working_learner': (_anchorage_v1_WorkingLearner__Output | null);
}
