// Original file: proto/anchorage/v1/coordinator.proto


export interface ReportReply {
  'accepted'?: (boolean);
  'refused'?: (string);
}

export interface ReportReply__Output {
  'accepted': (boolean);
  'refused': (string);
}
