// Original file: proto/anchorage/v1/coordinator.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CheckpointChunk as _anchorage_v1_CheckpointChunk, CheckpointChunk__Output as _anchorage_v1_CheckpointChunk__Output } from '../../anchorage/v1/CheckpointChunk.ts';
import type { ControlRequest as _anchorage_v1_ControlRequest, ControlRequest__Output as _anchorage_v1_ControlRequest__Output } from '../../anchorage/v1/ControlRequest.ts';
import type { GetRunRequest as _anchorage_v1_GetRunRequest, GetRunRequest__Output as _anchorage_v1_GetRunRequest__Output } from '../../anchorage/v1/GetRunRequest.ts';
import type { HeartbeatReply as _anchorage_v1_HeartbeatReply, HeartbeatReply__Output as _anchorage_v1_HeartbeatReply__Output } from '../../anchorage/v1/HeartbeatReply.ts';
import type { HeartbeatRequest as _anchorage_v1_HeartbeatRequest, HeartbeatRequest__Output as _anchorage_v1_HeartbeatRequest__Output } from '../../anchorage/v1/HeartbeatRequest.ts';
import type { LoadCheckpointRequest as _anchorage_v1_LoadCheckpointRequest, LoadCheckpointRequest__Output as _anchorage_v1_LoadCheckpointRequest__Output } from '../../anchorage/v1/LoadCheckpointRequest.ts';
import type { RegisterReply as _anchorage_v1_RegisterReply, RegisterReply__Output as _anchorage_v1_RegisterReply__Output } from '../../anchorage/v1/RegisterReply.ts';
import type { RegisterRequest as _anchorage_v1_RegisterRequest, RegisterRequest__Output as _anchorage_v1_RegisterRequest__Output } from '../../anchorage/v1/RegisterRequest.ts';
import type { ReportReply as _anchorage_v1_ReportReply, ReportReply__Output as _anchorage_v1_ReportReply__Output } from '../../anchorage/v1/ReportReply.ts';
import type { Run as _anchorage_v1_Run, Run__Output as _anchorage_v1_Run__Output } from '../../anchorage/v1/Run.ts';
import type { SaveCheckpointReply as _anchorage_v1_SaveCheckpointReply, SaveCheckpointReply__Output as _anchorage_v1_SaveCheckpointReply__Output } from '../../anchorage/v1/SaveCheckpointReply.ts';
import type { Status as _anchorage_v1_Status, Status__Output as _anchorage_v1_Status__Output } from '../../anchorage/v1/Status.ts';
import type { UpdateReport as _anchorage_v1_UpdateReport, UpdateReport__Output as _anchorage_v1_UpdateReport__Output } from '../../anchorage/v1/UpdateReport.ts';
import type { WatchEvent as _anchorage_v1_WatchEvent, WatchEvent__Output as _anchorage_v1_WatchEvent__Output } from '../../anchorage/v1/WatchEvent.ts';
import type { WatchRequest as _anchorage_v1_WatchRequest, WatchRequest__Output as _anchorage_v1_WatchRequest__Output } from '../../anchorage/v1/WatchRequest.ts';

export interface CoordinatorClient extends grpc.Client {
  Control(argument: _anchorage_v1_ControlRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_Status__Output>): grpc.ClientUnaryCall;
  Control(argument: _anchorage_v1_ControlRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_Status__Output>): grpc.ClientUnaryCall;
  Control(argument: _anchorage_v1_ControlRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_Status__Output>): grpc.ClientUnaryCall;
  Control(argument: _anchorage_v1_ControlRequest, callback: grpc.requestCallback<_anchorage_v1_Status__Output>): grpc.ClientUnaryCall;
  control(argument: _anchorage_v1_ControlRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_Status__Output>): grpc.ClientUnaryCall;
  control(argument: _anchorage_v1_ControlRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_Status__Output>): grpc.ClientUnaryCall;
  control(argument: _anchorage_v1_ControlRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_Status__Output>): grpc.ClientUnaryCall;
  control(argument: _anchorage_v1_ControlRequest, callback: grpc.requestCallback<_anchorage_v1_Status__Output>): grpc.ClientUnaryCall;
  
  GetRun(argument: _anchorage_v1_GetRunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_Run__Output>): grpc.ClientUnaryCall;
  GetRun(argument: _anchorage_v1_GetRunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_Run__Output>): grpc.ClientUnaryCall;
  GetRun(argument: _anchorage_v1_GetRunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_Run__Output>): grpc.ClientUnaryCall;
  GetRun(argument: _anchorage_v1_GetRunRequest, callback: grpc.requestCallback<_anchorage_v1_Run__Output>): grpc.ClientUnaryCall;
  getRun(argument: _anchorage_v1_GetRunRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_Run__Output>): grpc.ClientUnaryCall;
  getRun(argument: _anchorage_v1_GetRunRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_Run__Output>): grpc.ClientUnaryCall;
  getRun(argument: _anchorage_v1_GetRunRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_Run__Output>): grpc.ClientUnaryCall;
  getRun(argument: _anchorage_v1_GetRunRequest, callback: grpc.requestCallback<_anchorage_v1_Run__Output>): grpc.ClientUnaryCall;
  
  Heartbeat(argument: _anchorage_v1_HeartbeatRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_HeartbeatReply__Output>): grpc.ClientUnaryCall;
  Heartbeat(argument: _anchorage_v1_HeartbeatRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_HeartbeatReply__Output>): grpc.ClientUnaryCall;
  Heartbeat(argument: _anchorage_v1_HeartbeatRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_HeartbeatReply__Output>): grpc.ClientUnaryCall;
  Heartbeat(argument: _anchorage_v1_HeartbeatRequest, callback: grpc.requestCallback<_anchorage_v1_HeartbeatReply__Output>): grpc.ClientUnaryCall;
  heartbeat(argument: _anchorage_v1_HeartbeatRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_HeartbeatReply__Output>): grpc.ClientUnaryCall;
  heartbeat(argument: _anchorage_v1_HeartbeatRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_HeartbeatReply__Output>): grpc.ClientUnaryCall;
  heartbeat(argument: _anchorage_v1_HeartbeatRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_HeartbeatReply__Output>): grpc.ClientUnaryCall;
  heartbeat(argument: _anchorage_v1_HeartbeatRequest, callback: grpc.requestCallback<_anchorage_v1_HeartbeatReply__Output>): grpc.ClientUnaryCall;
  
  LoadCheckpoint(argument: _anchorage_v1_LoadCheckpointRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_anchorage_v1_CheckpointChunk__Output>;
  LoadCheckpoint(argument: _anchorage_v1_LoadCheckpointRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_anchorage_v1_CheckpointChunk__Output>;
  loadCheckpoint(argument: _anchorage_v1_LoadCheckpointRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_anchorage_v1_CheckpointChunk__Output>;
  loadCheckpoint(argument: _anchorage_v1_LoadCheckpointRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_anchorage_v1_CheckpointChunk__Output>;
  
  Register(argument: _anchorage_v1_RegisterRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_RegisterReply__Output>): grpc.ClientUnaryCall;
  Register(argument: _anchorage_v1_RegisterRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_RegisterReply__Output>): grpc.ClientUnaryCall;
  Register(argument: _anchorage_v1_RegisterRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_RegisterReply__Output>): grpc.ClientUnaryCall;
  Register(argument: _anchorage_v1_RegisterRequest, callback: grpc.requestCallback<_anchorage_v1_RegisterReply__Output>): grpc.ClientUnaryCall;
  register(argument: _anchorage_v1_RegisterRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_RegisterReply__Output>): grpc.ClientUnaryCall;
  register(argument: _anchorage_v1_RegisterRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_RegisterReply__Output>): grpc.ClientUnaryCall;
  register(argument: _anchorage_v1_RegisterRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_RegisterReply__Output>): grpc.ClientUnaryCall;
  register(argument: _anchorage_v1_RegisterRequest, callback: grpc.requestCallback<_anchorage_v1_RegisterReply__Output>): grpc.ClientUnaryCall;
  
  ReportUpdate(argument: _anchorage_v1_UpdateReport, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_ReportReply__Output>): grpc.ClientUnaryCall;
  ReportUpdate(argument: _anchorage_v1_UpdateReport, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_ReportReply__Output>): grpc.ClientUnaryCall;
  ReportUpdate(argument: _anchorage_v1_UpdateReport, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_ReportReply__Output>): grpc.ClientUnaryCall;
  ReportUpdate(argument: _anchorage_v1_UpdateReport, callback: grpc.requestCallback<_anchorage_v1_ReportReply__Output>): grpc.ClientUnaryCall;
  reportUpdate(argument: _anchorage_v1_UpdateReport, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_ReportReply__Output>): grpc.ClientUnaryCall;
  reportUpdate(argument: _anchorage_v1_UpdateReport, metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_ReportReply__Output>): grpc.ClientUnaryCall;
  reportUpdate(argument: _anchorage_v1_UpdateReport, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_ReportReply__Output>): grpc.ClientUnaryCall;
  reportUpdate(argument: _anchorage_v1_UpdateReport, callback: grpc.requestCallback<_anchorage_v1_ReportReply__Output>): grpc.ClientUnaryCall;
  
  SaveCheckpoint(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_SaveCheckpointReply__Output>): grpc.ClientWritableStream<_anchorage_v1_CheckpointChunk>;
  SaveCheckpoint(metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_SaveCheckpointReply__Output>): grpc.ClientWritableStream<_anchorage_v1_CheckpointChunk>;
  SaveCheckpoint(options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_SaveCheckpointReply__Output>): grpc.ClientWritableStream<_anchorage_v1_CheckpointChunk>;
  SaveCheckpoint(callback: grpc.requestCallback<_anchorage_v1_SaveCheckpointReply__Output>): grpc.ClientWritableStream<_anchorage_v1_CheckpointChunk>;
  saveCheckpoint(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_SaveCheckpointReply__Output>): grpc.ClientWritableStream<_anchorage_v1_CheckpointChunk>;
  saveCheckpoint(metadata: grpc.Metadata, callback: grpc.requestCallback<_anchorage_v1_SaveCheckpointReply__Output>): grpc.ClientWritableStream<_anchorage_v1_CheckpointChunk>;
  saveCheckpoint(options: grpc.CallOptions, callback: grpc.requestCallback<_anchorage_v1_SaveCheckpointReply__Output>): grpc.ClientWritableStream<_anchorage_v1_CheckpointChunk>;
  saveCheckpoint(callback: grpc.requestCallback<_anchorage_v1_SaveCheckpointReply__Output>): grpc.ClientWritableStream<_anchorage_v1_CheckpointChunk>;
  
  Watch(argument: _anchorage_v1_WatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_anchorage_v1_WatchEvent__Output>;
  Watch(argument: _anchorage_v1_WatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_anchorage_v1_WatchEvent__Output>;
  watch(argument: _anchorage_v1_WatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_anchorage_v1_WatchEvent__Output>;
  watch(argument: _anchorage_v1_WatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_anchorage_v1_WatchEvent__Output>;
  
}

export interface CoordinatorHandlers extends grpc.UntypedServiceImplementation {
  Control: grpc.handleUnaryCall<_anchorage_v1_ControlRequest__Output, _anchorage_v1_Status>;
  
  GetRun: grpc.handleUnaryCall<_anchorage_v1_GetRunRequest__Output, _anchorage_v1_Run>;
  
  Heartbeat: grpc.handleUnaryCall<_anchorage_v1_HeartbeatRequest__Output, _anchorage_v1_HeartbeatReply>;
  
  LoadCheckpoint: grpc.handleServerStreamingCall<_anchorage_v1_LoadCheckpointRequest__Output, _anchorage_v1_CheckpointChunk>;
  
  Register: grpc.handleUnaryCall<_anchorage_v1_RegisterRequest__Output, _anchorage_v1_RegisterReply>;
  
  ReportUpdate: grpc.handleUnaryCall<_anchorage_v1_UpdateReport__Output, _anchorage_v1_ReportReply>;
  
  SaveCheckpoint: grpc.handleClientStreamingCall<_anchorage_v1_CheckpointChunk__Output, _anchorage_v1_SaveCheckpointReply>;
  
  Watch: grpc.handleServerStreamingCall<_anchorage_v1_WatchRequest__Output, _anchorage_v1_WatchEvent>;
  
}

export interface CoordinatorDefinition extends grpc.ServiceDefinition {
  Control: MethodDefinition<_anchorage_v1_ControlRequest, _anchorage_v1_Status, _anchorage_v1_ControlRequest__Output, _anchorage_v1_Status__Output>
  GetRun: MethodDefinition<_anchorage_v1_GetRunRequest, _anchorage_v1_Run, _anchorage_v1_GetRunRequest__Output, _anchorage_v1_Run__Output>
  Heartbeat: MethodDefinition<_anchorage_v1_HeartbeatRequest, _anchorage_v1_HeartbeatReply, _anchorage_v1_HeartbeatRequest__Output, _anchorage_v1_HeartbeatReply__Output>
  LoadCheckpoint: MethodDefinition<_anchorage_v1_LoadCheckpointRequest, _anchorage_v1_CheckpointChunk, _anchorage_v1_LoadCheckpointRequest__Output, _anchorage_v1_CheckpointChunk__Output>
  Register: MethodDefinition<_anchorage_v1_RegisterRequest, _anchorage_v1_RegisterReply, _anchorage_v1_RegisterRequest__Output, _anchorage_v1_RegisterReply__Output>
  ReportUpdate: MethodDefinition<_anchorage_v1_UpdateReport, _anchorage_v1_ReportReply, _anchorage_v1_UpdateReport__Output, _anchorage_v1_ReportReply__Output>
  SaveCheckpoint: MethodDefinition<_anchorage_v1_CheckpointChunk, _anchorage_v1_SaveCheckpointReply, _anchorage_v1_CheckpointChunk__Output, _anchorage_v1_SaveCheckpointReply__Output>
  Watch: MethodDefinition<_anchorage_v1_WatchRequest, _anchorage_v1_WatchEvent, _anchorage_v1_WatchRequest__Output, _anchorage_v1_WatchEvent__Output>
}
