// Original file: proto/anchorage/v1/learner.proto

import type { Hello as _anchorage_v1_Hello, Hello__Output as _anchorage_v1_Hello__Output } from '../../anchorage/v1/Hello.ts';
import type { Rollout as _anchorage_v1_Rollout, Rollout__Output as _anchorage_v1_Rollout__Output } from '../../anchorage/v1/Rollout.ts';
import type { NeedPolicy as _anchorage_v1_NeedPolicy, NeedPolicy__Output as _anchorage_v1_NeedPolicy__Output } from '../../anchorage/v1/NeedPolicy.ts';
import type { ReturnLease as _anchorage_v1_ReturnLease, ReturnLease__Output as _anchorage_v1_ReturnLease__Output } from '../../anchorage/v1/ReturnLease.ts';

export interface ActorMessage {
  'hello'?: (_anchorage_v1_Hello | null);
  'rollout'?: (_anchorage_v1_Rollout | null);
  'need_policy'?: (_anchorage_v1_NeedPolicy | null);
  'return_lease'?: (_anchorage_v1_ReturnLease | null);
  'message'?: "hello"|"rollout"|"need_policy"|"return_lease";
}

export interface ActorMessage__Output {
  'hello'?: (_anchorage_v1_Hello__Output | null);
  'rollout'?: (_anchorage_v1_Rollout__Output | null);
  'need_policy'?: (_anchorage_v1_NeedPolicy__Output | null);
  'return_lease'?: (_anchorage_v1_ReturnLease__Output | null);
  'message'?: "hello"|"rollout"|"need_policy"|"return_lease";
}
