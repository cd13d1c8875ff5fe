// Original file: proto/anchorage/v1/learner.proto


export interface PolicyRef {
  'version'?: (number);
  'digest'?: (string);
}

export interface PolicyRef__Output {
  'version': (number);
  'digest': (string);
}
