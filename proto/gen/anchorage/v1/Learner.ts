// Original file: proto/anchorage/v1/learner.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ActorMessage as _anchorage_v1_ActorMessage, ActorMessage__Output as _anchorage_v1_ActorMessage__Output } from '../../anchorage/v1/ActorMessage.ts';
import type { LearnerMessage as _anchorage_v1_LearnerMessage, LearnerMessage__Output as _anchorage_v1_LearnerMessage__Output } from '../../anchorage/v1/LearnerMessage.ts';

export interface LearnerClient extends grpc.Client {
  Collect(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_anchorage_v1_ActorMessage, _anchorage_v1_LearnerMessage__Output>;
  Collect(options?: grpc.CallOptions): grpc.ClientDuplexStream<_anchorage_v1_ActorMessage, _anchorage_v1_LearnerMessage__Output>;
  collect(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_anchorage_v1_ActorMessage, _anchorage_v1_LearnerMessage__Output>;
  collect(options?: grpc.CallOptions): grpc.ClientDuplexStream<_anchorage_v1_ActorMessage, _anchorage_v1_LearnerMessage__Output>;
  
}

export interface LearnerHandlers extends grpc.UntypedServiceImplementation {
  Collect: grpc.handleBidiStreamingCall<_anchorage_v1_ActorMessage__Output, _anchorage_v1_LearnerMessage>;
  
}

export interface LearnerDefinition extends grpc.ServiceDefinition {
  Collect: MethodDefinition<_anchorage_v1_ActorMessage, _anchorage_v1_LearnerMessage, _anchorage_v1_ActorMessage__Output, _anchorage_v1_LearnerMessage__Output>
}
