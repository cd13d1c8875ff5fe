// Original file: proto/anchorage/v1/coordinator.proto

import type { UpdateReport as _anchorage_v1_UpdateReport, UpdateReport__Output as _anchorage_v1_UpdateReport__Output } from '../../anchorage/v1/UpdateReport.ts';
import type { Status as _anchorage_v1_Status, Status__Output as _anchorage_v1_Status__Output } from '../../anchorage/v1/Status.ts';

export interface WatchEvent {
  'update'?: (_anchorage_v1_UpdateReport | null);
  'status'?: (_anchorage_v1_Status | null);
  'event'?: "update"|"status";
}

export interface WatchEvent__Output {
  'update'?: (_anchorage_v1_UpdateReport__Output | null);
  'status'?: (_anchorage_v1_Status__Output | null);
  'event'?: "update"|"status";
}
