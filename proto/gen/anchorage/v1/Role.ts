// Original file: proto/anchorage/v1/coordinator.proto

export const Role = {
  ROLE_UNSPECIFIED: 'ROLE_UNSPECIFIED',
  ACTOR: 'ACTOR',
  LEARNER: 'LEARNER',
} as const;

export type Role =
  | 'ROLE_UNSPECIFIED'
  | 0
  | 'ACTOR'
  | 1
  | 'LEARNER'
  | 2

export type Role__Output = typeof Role[keyof typeof Role]
