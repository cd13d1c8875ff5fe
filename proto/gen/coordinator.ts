import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { CheckpointChunk as _anchorage_v1_CheckpointChunk, CheckpointChunk__Output as _anchorage_v1_CheckpointChunk__Output } from './anchorage/v1/CheckpointChunk.ts';
import type { CheckpointHeader as _anchorage_v1_CheckpointHeader, CheckpointHeader__Output as _anchorage_v1_CheckpointHeader__Output } from './anchorage/v1/CheckpointHeader.ts';
import type { ControlRequest as _anchorage_v1_ControlRequest, ControlRequest__Output as _anchorage_v1_ControlRequest__Output } from './anchorage/v1/ControlRequest.ts';
import type { CoordinatorClient as _anchorage_v1_CoordinatorClient, CoordinatorDefinition as _anchorage_v1_CoordinatorDefinition } from './anchorage/v1/Coordinator.ts';
import type { Episode as _anchorage_v1_Episode, Episode__Output as _anchorage_v1_Episode__Output } from './anchorage/v1/Episode.ts';
import type { GetRunRequest as _anchorage_v1_GetRunRequest, GetRunRequest__Output as _anchorage_v1_GetRunRequest__Output } from './anchorage/v1/GetRunRequest.ts';
import type { HeartbeatReply as _anchorage_v1_HeartbeatReply, HeartbeatReply__Output as _anchorage_v1_HeartbeatReply__Output } from './anchorage/v1/HeartbeatReply.ts';
import type { HeartbeatRequest as _anchorage_v1_HeartbeatRequest, HeartbeatRequest__Output as _anchorage_v1_HeartbeatRequest__Output } from './anchorage/v1/HeartbeatRequest.ts';
import type { LoadCheckpointRequest as _anchorage_v1_LoadCheckpointRequest, LoadCheckpointRequest__Output as _anchorage_v1_LoadCheckpointRequest__Output } from './anchorage/v1/LoadCheckpointRequest.ts';
import type { Member as _anchorage_v1_Member, Member__Output as _anchorage_v1_Member__Output } from './anchorage/v1/Member.ts';
import type { RegisterReply as _anchorage_v1_RegisterReply, RegisterReply__Output as _anchorage_v1_RegisterReply__Output } from './anchorage/v1/RegisterReply.ts';
import type { RegisterRequest as _anchorage_v1_RegisterRequest, RegisterRequest__Output as _anchorage_v1_RegisterRequest__Output } from './anchorage/v1/RegisterRequest.ts';
import type { ReportReply as _anchorage_v1_ReportReply, ReportReply__Output as _anchorage_v1_ReportReply__Output } from './anchorage/v1/ReportReply.ts';
import type { Run as _anchorage_v1_Run, Run__Output as _anchorage_v1_Run__Output } from './anchorage/v1/Run.ts';
import type { SaveCheckpointReply as _anchorage_v1_SaveCheckpointReply, SaveCheckpointReply__Output as _anchorage_v1_SaveCheckpointReply__Output } from './anchorage/v1/SaveCheckpointReply.ts';
import type { Status as _anchorage_v1_Status, Status__Output as _anchorage_v1_Status__Output } from './anchorage/v1/Status.ts';
import type { UpdateReport as _anchorage_v1_UpdateReport, UpdateReport__Output as _anchorage_v1_UpdateReport__Output } from './anchorage/v1/UpdateReport.ts';
import type { WatchEvent as _anchorage_v1_WatchEvent, WatchEvent__Output as _anchorage_v1_WatchEvent__Output } from './anchorage/v1/WatchEvent.ts';
import type { WatchRequest as _anchorage_v1_WatchRequest, WatchRequest__Output as _anchorage_v1_WatchRequest__Output } from './anchorage/v1/WatchRequest.ts';
import type { WorkingLearner as _anchorage_v1_WorkingLearner, WorkingLearner__Output as _anchorage_v1_WorkingLearner__Output } from './anchorage/v1/WorkingLearner.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  anchorage: {
    v1: {
      CheckpointChunk: MessageTypeDefinition<_anchorage_v1_CheckpointChunk, _anchorage_v1_CheckpointChunk__Output>
      CheckpointHeader: MessageTypeDefinition<_anchorage_v1_CheckpointHeader, _anchorage_v1_CheckpointHeader__Output>
      ControlAction: EnumTypeDefinition
      ControlRequest: MessageTypeDefinition<_anchorage_v1_ControlRequest, _anchorage_v1_ControlRequest__Output>
      Coordinator: SubtypeConstructor<typeof grpc.Client, _anchorage_v1_CoordinatorClient> & { service: _anchorage_v1_CoordinatorDefinition }
      Episode: MessageTypeDefinition<_anchorage_v1_Episode, _anchorage_v1_Episode__Output>
      GetRunRequest: MessageTypeDefinition<_anchorage_v1_GetRunRequest, _anchorage_v1_GetRunRequest__Output>
      HeartbeatReply: MessageTypeDefinition<_anchorage_v1_HeartbeatReply, _anchorage_v1_HeartbeatReply__Output>
      HeartbeatRequest: MessageTypeDefinition<_anchorage_v1_HeartbeatRequest, _anchorage_v1_HeartbeatRequest__Output>
      LoadCheckpointRequest: MessageTypeDefinition<_anchorage_v1_LoadCheckpointRequest, _anchorage_v1_LoadCheckpointRequest__Output>
      Member: MessageTypeDefinition<_anchorage_v1_Member, _anchorage_v1_Member__Output>
      RegisterReply: MessageTypeDefinition<_anchorage_v1_RegisterReply, _anchorage_v1_RegisterReply__Output>
      RegisterRequest: MessageTypeDefinition<_anchorage_v1_RegisterRequest, _anchorage_v1_RegisterRequest__Output>
      ReportReply: MessageTypeDefinition<_anchorage_v1_ReportReply, _anchorage_v1_ReportReply__Output>
      Role: EnumTypeDefinition
      Run: MessageTypeDefinition<_anchorage_v1_Run, _anchorage_v1_Run__Output>
      RunState: EnumTypeDefinition
      SaveCheckpointReply: MessageTypeDefinition<_anchorage_v1_SaveCheckpointReply, _anchorage_v1_SaveCheckpointReply__Output>
      Status: MessageTypeDefinition<_anchorage_v1_Status, _anchorage_v1_Status__Output>
      UpdateReport: MessageTypeDefinition<_anchorage_v1_UpdateReport, _anchorage_v1_UpdateReport__Output>
      WatchEvent: MessageTypeDefinition<_anchorage_v1_WatchEvent, _anchorage_v1_WatchEvent__Output>
      WatchRequest: MessageTypeDefinition<_anchorage_v1_WatchRequest, _anchorage_v1_WatchRequest__Output>
      WorkingLearner: MessageTypeDefinition<_anchorage_v1_WorkingLearner, _anchorage_v1_WorkingLearner__Output>
    }
  }
}

