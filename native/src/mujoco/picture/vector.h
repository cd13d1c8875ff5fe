// Three floats: points and directions in metres, or linear red, green and blue.
#pragma once

#include <algorithm>
#include <cmath>

namespace anchorage::mujoco {

struct Vec3 {
  float x = 0, y = 0, z = 0;
};

inline Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec3 operator*(Vec3 a, Vec3 b) { return {a.x * b.x, a.y * b.y, a.z * b.z}; }
inline Vec3 operator*(Vec3 a, float s) { return {a.x * s, a.y * s, a.z * s}; }
inline float dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 cross(Vec3 a, Vec3 b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
inline float length(Vec3 a) { return std::sqrt(dot(a, a)); }
inline Vec3 normalized(Vec3 a) { return a * (1 / length(a)); }
inline Vec3 mix(Vec3 a, Vec3 b, float share) { return a + (b - a) * share; }
inline float unit(float x) { return std::clamp(x, 0.0f, 1.0f); }
// 0 below `low`, 1 above `high`, smooth between.
inline float smoothStep(float low, float high, float x) {
  const float t = unit((x - low) / (high - low));
  return t * t * (3 - 2 * t);
}

}  // namespace anchorage::mujoco
