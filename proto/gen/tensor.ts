import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Tensor as _anchorage_v1_Tensor, Tensor__Output as _anchorage_v1_Tensor__Output } from './anchorage/v1/Tensor.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  anchorage: {
    v1: {
      Compression: EnumTypeDefinition
      DataType: EnumTypeDefinition
      Tensor: MessageTypeDefinition<_anchorage_v1_Tensor, _anchorage_v1_Tensor__Output>
    }
  }
}

