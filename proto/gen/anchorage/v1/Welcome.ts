// Original file: proto/anchorage/v1/learner.proto


export interface Welcome {
  'run_id'?: (string);
  'generation'?: (number);
  'refused'?: (string);
}

export interface Welcome__Output {
  'run_id': (string);
  'generation': (number);
  'refused': (string);
}
