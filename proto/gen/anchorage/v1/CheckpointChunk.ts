// Original file: proto/anchorage/v1/coordinator.proto

import type { CheckpointHeader as _anchorage_v1_CheckpointHeader, CheckpointHeader__Output as _anchorage_v1_CheckpointHeader__Output } from '../../anchorage/v1/CheckpointHeader.ts';

export interface CheckpointChunk {
  'header'?: (_anchorage_v1_CheckpointHeader | null);
  'data'?: (Buffer | Uint8Array | string);
  'part'?: "header"|"data";
}

export interface CheckpointChunk__Output {
  'header'?: (_anchorage_v1_CheckpointHeader__Output | null);
  'data'?: (Buffer);
  'part'?: "header"|"data";
}
