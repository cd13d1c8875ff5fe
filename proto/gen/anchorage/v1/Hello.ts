// Original file: proto/anchorage/v1/learner.proto


export interface Hello {
  'run_id'?: (string);
  'actor_id'?: (string);
  'capacity'?: (number);
  'build'?: (string);
  'fingerprint_json'?: (string);
  'environment_spec_json'?: (string);
  'config_digest'?: (string);
}

export interface Hello__Output {
  'run_id': (string);
  'actor_id': (string);
  'capacity': (number);
  'build': (string);
  'fingerprint_json': (string);
  'environment_spec_json': (string);
  'config_digest': (string);
}
