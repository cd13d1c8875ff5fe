// Original file: proto/anchorage/v1/coordinator.proto


export interface LoadCheckpointRequest {
  'update'?: (number);
}

export interface LoadCheckpointRequest__Output {
  'update': (number);
}
