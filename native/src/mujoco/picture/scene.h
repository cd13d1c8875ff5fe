// A robot in one pose as shapes on a floor, and a camera that looks at it.
#pragma once

#include <mujoco/mujoco.h>

#include <vector>

#include "shape.h"

namespace anchorage::mujoco {

struct Camera {
  Vec3 eye;
  Vec3 right, up, forward;  // unit vectors
  float halfHeight;         // of the picture at distance 1
};

struct Scene {
  std::vector<Shape> shapes;
  float floor;   // height of the ground
  float square;  // side of a field of its pattern
  Camera camera;
};

// Poses a model for pictures. It has an mjData of its own: nothing that is simulated is touched or read but qpos.
class Stage {
 public:
  // Throws SETUP for a model with a kind of geom that is not drawn, ENVIRONMENT without memory.
  explicit Stage(const mjModel& model);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage();

  // `qpos` [nq]; `aspect`: the picture's width by its height.
  Scene pose(const double* qpos, float aspect);

 private:
  void measure();
  void place(const double* qpos);
  std::vector<Shape> shapes() const;
  Vec3 followed() const;
  Camera cameraAt(Vec3 moved, float aspect) const;

  const mjModel& model_;
  mjData* data_;
  Vec3 low_, high_;    // box around the first pose
  float floor_ = 0;
  int followedBody_ = -1;  // whose centre of mass the camera follows over the ground; -1: it stands still
  Vec3 start_;             // that centre in the first pose
};

}  // namespace anchorage::mujoco
