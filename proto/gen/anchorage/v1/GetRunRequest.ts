// Original file: proto/anchorage/v1/coordinator.proto


export interface GetRunRequest {
}

export interface GetRunRequest__Output {
}
