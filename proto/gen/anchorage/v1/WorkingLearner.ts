// Original file: proto/anchorage/v1/coordinator.proto


export interface WorkingLearner {
  'host'?: (string);
  'pid'?: (number);
  'last_seen_seconds'?: (number | string);
  'silence_seconds'?: (number | string);
}

export interface WorkingLearner__Output {
  'host': (string);
  'pid': (number);
  'last_seen_seconds': (number);
  'silence_seconds': (number);
}
