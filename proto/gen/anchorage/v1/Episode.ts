// Original file: proto/anchorage/v1/coordinator.proto


export interface Episode {
  'return'?: (number | string);
  'length'?: (number);
}

export interface Episode__Output {
  'return': (number);
  'length': (number);
}
