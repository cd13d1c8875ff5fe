// Original file: proto/anchorage/v1/learner.proto


export interface EpisodeEnd {
  'step'?: (number);
  'environment'?: (number);
  'return'?: (number | string);
  'length'?: (number);
}

export interface EpisodeEnd__Output {
  'step': (number);
  'environment': (number);
  'return': (number);
  'length': (number);
}
