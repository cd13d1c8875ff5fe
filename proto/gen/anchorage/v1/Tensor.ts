// Original file: proto/anchorage/v1/tensor.proto

import type { DataType as _anchorage_v1_DataType, DataType__Output as _anchorage_v1_DataType__Output } from '../../anchorage/v1/DataType.ts';
import type { Compression as _anchorage_v1_Compression, Compression__Output as _anchorage_v1_Compression__Output } from '../../anchorage/v1/Compression.ts';

export interface Tensor {
  'dtype'?: (_anchorage_v1_DataType);
  'shape'?: (number)[];
  'compression'?: (_anchorage_v1_Compression);
  'data'?: (Buffer | Uint8Array | string);
}

export interface Tensor__Output {
  'dtype': (_anchorage_v1_DataType__Output);
  'shape': (number)[];
  'compression': (_anchorage_v1_Compression__Output);
  'data': (Buffer);
}
