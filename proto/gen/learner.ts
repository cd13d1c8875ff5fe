import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { ActorMessage as _anchorage_v1_ActorMessage, ActorMessage__Output as _anchorage_v1_ActorMessage__Output } from './anchorage/v1/ActorMessage.ts';
import type { Drain as _anchorage_v1_Drain, Drain__Output as _anchorage_v1_Drain__Output } from './anchorage/v1/Drain.ts';
import type { EpisodeEnd as _anchorage_v1_EpisodeEnd, EpisodeEnd__Output as _anchorage_v1_EpisodeEnd__Output } from './anchorage/v1/EpisodeEnd.ts';
import type { Hello as _anchorage_v1_Hello, Hello__Output as _anchorage_v1_Hello__Output } from './anchorage/v1/Hello.ts';
import type { LearnerClient as _anchorage_v1_LearnerClient, LearnerDefinition as _anchorage_v1_LearnerDefinition } from './anchorage/v1/Learner.ts';
import type { LearnerMessage as _anchorage_v1_LearnerMessage, LearnerMessage__Output as _anchorage_v1_LearnerMessage__Output } from './anchorage/v1/LearnerMessage.ts';
import type { Lease as _anchorage_v1_Lease, Lease__Output as _anchorage_v1_Lease__Output } from './anchorage/v1/Lease.ts';
import type { NeedPolicy as _anchorage_v1_NeedPolicy, NeedPolicy__Output as _anchorage_v1_NeedPolicy__Output } from './anchorage/v1/NeedPolicy.ts';
import type { PolicyRef as _anchorage_v1_PolicyRef, PolicyRef__Output as _anchorage_v1_PolicyRef__Output } from './anchorage/v1/PolicyRef.ts';
import type { ReturnLease as _anchorage_v1_ReturnLease, ReturnLease__Output as _anchorage_v1_ReturnLease__Output } from './anchorage/v1/ReturnLease.ts';
import type { Revoke as _anchorage_v1_Revoke, Revoke__Output as _anchorage_v1_Revoke__Output } from './anchorage/v1/Revoke.ts';
import type { Rollout as _anchorage_v1_Rollout, Rollout__Output as _anchorage_v1_Rollout__Output } from './anchorage/v1/Rollout.ts';
import type { Taken as _anchorage_v1_Taken, Taken__Output as _anchorage_v1_Taken__Output } from './anchorage/v1/Taken.ts';
import type { Tensor as _anchorage_v1_Tensor, Tensor__Output as _anchorage_v1_Tensor__Output } from './anchorage/v1/Tensor.ts';
import type { Welcome as _anchorage_v1_Welcome, Welcome__Output as _anchorage_v1_Welcome__Output } from './anchorage/v1/Welcome.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  anchorage: {
    v1: {
      ActorMessage: MessageTypeDefinition<_anchorage_v1_ActorMessage, _anchorage_v1_ActorMessage__Output>
      Compression: EnumTypeDefinition
      DataType: EnumTypeDefinition
      Drain: MessageTypeDefinition<_anchorage_v1_Drain, _anchorage_v1_Drain__Output>
      EpisodeEnd: MessageTypeDefinition<_anchorage_v1_EpisodeEnd, _anchorage_v1_EpisodeEnd__Output>
      Hello: MessageTypeDefinition<_anchorage_v1_Hello, _anchorage_v1_Hello__Output>
      Learner: SubtypeConstructor<typeof grpc.Client, _anchorage_v1_LearnerClient> & { service: _anchorage_v1_LearnerDefinition }
      LearnerMessage: MessageTypeDefinition<_anchorage_v1_LearnerMessage, _anchorage_v1_LearnerMessage__Output>
      Lease: MessageTypeDefinition<_anchorage_v1_Lease, _anchorage_v1_Lease__Output>
      NeedPolicy: MessageTypeDefinition<_anchorage_v1_NeedPolicy, _anchorage_v1_NeedPolicy__Output>
      PolicyRef: MessageTypeDefinition<_anchorage_v1_PolicyRef, _anchorage_v1_PolicyRef__Output>
      ReturnLease: MessageTypeDefinition<_anchorage_v1_ReturnLease, _anchorage_v1_ReturnLease__Output>
      Revoke: MessageTypeDefinition<_anchorage_v1_Revoke, _anchorage_v1_Revoke__Output>
      Rollout: MessageTypeDefinition<_anchorage_v1_Rollout, _anchorage_v1_Rollout__Output>
      Taken: MessageTypeDefinition<_anchorage_v1_Taken, _anchorage_v1_Taken__Output>
      Tensor: MessageTypeDefinition<_anchorage_v1_Tensor, _anchorage_v1_Tensor__Output>
      Welcome: MessageTypeDefinition<_anchorage_v1_Welcome, _anchorage_v1_Welcome__Output>
    }
  }
}

