// Original file: proto/anchorage/v1/learner.proto

import type { Lease as _anchorage_v1_Lease, Lease__Output as _anchorage_v1_Lease__Output } from '../../anchorage/v1/Lease.ts';
import type { Revoke as _anchorage_v1_Revoke, Revoke__Output as _anchorage_v1_Revoke__Output } from '../../anchorage/v1/Revoke.ts';
import type { Drain as _anchorage_v1_Drain, Drain__Output as _anchorage_v1_Drain__Output } from '../../anchorage/v1/Drain.ts';
import type { Welcome as _anchorage_v1_Welcome, Welcome__Output as _anchorage_v1_Welcome__Output } from '../../anchorage/v1/Welcome.ts';
import type { Taken as _anchorage_v1_Taken, Taken__Output as _anchorage_v1_Taken__Output } from '../../anchorage/v1/Taken.ts';

export interface LearnerMessage {
  'lease'?: (_anchorage_v1_Lease | null);
  'revoke'?: (_anchorage_v1_Revoke | null);
  'drain'?: (_anchorage_v1_Drain | null);
  'welcome'?: (_anchorage_v1_Welcome | null);
  'taken'?: (_anchorage_v1_Taken | null);
  'message'?: "lease"|"revoke"|"drain"|"welcome"|"taken";
}

export interface LearnerMessage__Output {
  'lease'?: (_anchorage_v1_Lease__Output | null);
  'revoke'?: (_anchorage_v1_Revoke__Output | null);
  'drain'?: (_anchorage_v1_Drain__Output | null);
  'welcome'?: (_anchorage_v1_Welcome__Output | null);
  'taken'?: (_anchorage_v1_Taken__Output | null);
  'message'?: "lease"|"revoke"|"drain"|"welcome"|"taken";
}
