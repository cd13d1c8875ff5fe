// Original file: proto/anchorage/v1/coordinator.proto

import type { ControlAction as _anchorage_v1_ControlAction, ControlAction__Output as _anchorage_v1_ControlAction__Output } from '../../anchorage/v1/ControlAction.ts';

export interface ControlRequest {
  'action'?: (_anchorage_v1_ControlAction);
}

export interface ControlRequest__Output {
  'action': (_anchorage_v1_ControlAction__Output);
}
