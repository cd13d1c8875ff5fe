// Original file: proto/anchorage/v1/coordinator.proto


export interface WatchRequest {
  'after_update'?: (number);
}

export interface WatchRequest__Output {
  'after_update': (number);
}
