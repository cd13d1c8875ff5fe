// Original file: proto/anchorage/v1/learner.proto


export interface Drain {
  'reason'?: (string);
  'finished'?: (boolean);
}

export interface Drain__Output {
  'reason': (string);
  'finished': (boolean);
}
