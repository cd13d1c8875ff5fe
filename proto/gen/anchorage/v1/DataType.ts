// Original file: proto/anchorage/v1/tensor.proto

export const DataType = {
  DATA_TYPE_UNSPECIFIED: 'DATA_TYPE_UNSPECIFIED',
  UINT8: 'UINT8',
  INT32: 'INT32',
  FLOAT32: 'FLOAT32',
} as const;

export type DataType =
  | 'DATA_TYPE_UNSPECIFIED'
  | 0
  | 'UINT8'
  | 1
  | 'INT32'
  | 2
  | 'FLOAT32'
  | 3

export type DataType__Output = typeof DataType[keyof typeof DataType]
