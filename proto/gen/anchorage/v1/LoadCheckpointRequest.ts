// Original file: proto/anchorage/v1/coordinator.proto


export interface LoadCheckpointRequest {
  'update'?: (number);
  'initial_file'?: (boolean);
}

export interface LoadCheckpointRequest__Output {
  'update': (number);
  'initial_file': (boolean);
}
