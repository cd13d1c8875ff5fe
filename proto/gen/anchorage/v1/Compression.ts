// Original file: proto/anchorage/v1/tensor.proto

export const Compression = {
  NONE: 'NONE',
  LZ4: 'LZ4',
} as const;

export type Compression =
  | 'NONE'
  | 0
  | 'LZ4'
  | 1

export type Compression__Output = typeof Compression[keyof typeof Compression]
