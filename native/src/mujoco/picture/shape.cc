#include "shape.h"

#include <limits>

namespace anchorage::mujoco {
namespace {

constexpr float kNone = std::numeric_limits<float>::infinity();
constexpr Hit kMissed{kNone, {}};

// The smaller root of a t^2 + 2 b t + c = 0, where the ray enters; none if it is behind the ray's start.
float entry(float a, float b, float c) {
  const float discriminant = b * b - a * c;
  if (discriminant < 0) return kNone;
  const float t = (-b - std::sqrt(discriminant)) / a;
  return t > 0 ? t : kNone;
}

Hit meetBall(Vec3 centre, float radius, const Ray& ray) {
  const Vec3 offset = ray.from - centre;
  const float t = entry(1, dot(offset, ray.along), dot(offset, offset) - radius * radius);
  if (t == kNone) return kMissed;
  return {t, (offset + ray.along * t) * (1 / radius)};
}

// The flat end at `centre`, facing along the unit vector `outwards`.
Hit meetDisc(Vec3 centre, Vec3 outwards, float radius, const Ray& ray) {
  const float facing = dot(ray.along, outwards);
  if (facing >= 0) return kMissed;
  const float t = dot(centre - ray.from, outwards) / facing;
  const Vec3 offset = ray.from + ray.along * t - centre;
  return t > 0 && dot(offset, offset) <= radius * radius ? Hit{t, outwards} : kMissed;
}

Hit nearer(const Hit& a, const Hit& b) { return a.distance <= b.distance ? a : b; }

float segmentShare(const Shape& shape, Vec3 point) {
  const Vec3 axis = shape.b - shape.a;
  const float squared = dot(axis, axis);
  return squared > 0 ? unit(dot(point - shape.a, axis) / squared) : 0;
}

}  // namespace

Hit meet(const Shape& shape, const Ray& ray) {
  const Vec3 axis = shape.b - shape.a;
  const float squared = dot(axis, axis);
  const bool round = shape.kind == Shape::Kind::kRound;
  if (squared == 0) return meetBall(shape.a, shape.radius, ray);
  const Vec3 offset = ray.from - shape.a;
  const float along = dot(axis, ray.along), start = dot(axis, offset);
  const Vec3 across = ray.along - axis * (along / squared), side = offset - axis * (start / squared);  // without their part along the axis
  const float t = entry(dot(across, across), dot(across, side), dot(side, side) - shape.radius * shape.radius);
  const float place = (start + t * along) / squared;  // where on the segment the wall is met
  if (t != kNone && place >= 0 && place <= 1) return {t, (side + across * t) * (1 / shape.radius)};
  if (round) return nearer(meetBall(shape.a, shape.radius, ray), meetBall(shape.b, shape.radius, ray));
  const Vec3 upwards = axis * (1 / std::sqrt(squared));
  return nearer(meetDisc(shape.a, upwards * -1, shape.radius, ray), meetDisc(shape.b, upwards, shape.radius, ray));
}

float lightPast(const Shape& shape, const Ray& ray, float spread) {
  // the segment's point that comes closest to the ray, and how far the ray is from it there
  const Vec3 axis = shape.b - shape.a, offset = ray.from - shape.a;
  const float squared = dot(axis, axis), along = dot(axis, ray.along);
  const float slant = squared - along * along;  // 0: parallel
  const float share = slant > 1e-9f * squared && squared > 0
                          ? unit((dot(axis, offset) - along * dot(offset, ray.along)) / slant)
                          : segmentShare(shape, ray.from);
  const Vec3 nearest = shape.a + axis * share;
  const float t = dot(nearest - ray.from, ray.along);
  if (t <= 0) return 1;
  const float gap = length(ray.from + ray.along * t - nearest) - shape.radius;
  const float blur = t * spread + 1e-4f * shape.radius;
  return smoothStep(-blur, blur, gap);
}

float skyCovered(const Shape& shape, Vec3 point, Vec3 normal) {
  const Vec3 towards = shape.a + (shape.b - shape.a) * segmentShare(shape, point) - point;
  const float squared = dot(towards, towards);
  const float upwards = dot(normal, towards);
  if (upwards <= 0) return 0;
  return std::min(1.0f, upwards * shape.radius * shape.radius / (squared * std::sqrt(squared)));
}

}  // namespace anchorage::mujoco
