// Original file: proto/anchorage/v1/coordinator.proto


export interface SaveCheckpointReply {
  'stored'?: (boolean);
  'refused'?: (string);
}

export interface SaveCheckpointReply__Output {
  'stored': (boolean);
  'refused': (string);
}
