// What the robots are made of: spheres, capsules and cylinders. All are a segment with a radius; a sphere's has no length.
#pragma once

#include "vector.h"

namespace anchorage::mujoco {

struct Ray {
  Vec3 from;
  Vec3 along;  // of length 1
};

struct Hit {
  float distance;  // infinite: none
  Vec3 normal;     // outwards, of length 1
};

struct Shape {
  enum class Kind { kRound, kCylinder };  // round: ends in half spheres
  Kind kind;
  Vec3 a, b;  // the segment's ends
  float radius;
  Vec3 colour;  // linear

  Vec3 middle() const { return (a + b) * 0.5f; }
  float reach() const { return length(b - a) * 0.5f + radius * (kind == Kind::kRound ? 1.0f : 1.4142136f); }  // of a ball around middle()
};

// Where the ray first enters the shape; a ray from inside meets nothing.
Hit meet(const Shape& shape, const Ray& ray);

// Share of a disc-shaped light in direction `ray.along` that the shape leaves visible from `ray.from`: 0 to 1. `spread`:
// tangent of half the light's angle. Cylinders count as round.
float lightPast(const Shape& shape, const Ray& ray, float spread);

// Share of the sky over a surface with that normal which the shape covers, as a ball of its radius at its nearest point
// would: 0 to 1.
float skyCovered(const Shape& shape, Vec3 point, Vec3 normal);

}  // namespace anchorage::mujoco
