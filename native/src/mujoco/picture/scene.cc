#include "scene.h"

#include <string>

#include "../../engine/error.h"

namespace anchorage::mujoco {
namespace {

constexpr float kHalfFieldOfView = 0.31f;  // radians, of the picture's height
constexpr float kMargin = 1.35f;           // limbs reach beyond the first pose, and the surroundings are seen, too
// A ground that lies deeper, or none at all (the pendulums), would leave the robot without its shadow.
constexpr float kDeepestFloor = 0.3f;

Vec3 vec(const mjtNum* v) { return {static_cast<float>(v[0]), static_cast<float>(v[1]), static_cast<float>(v[2])}; }

// Of the models' sRGB colours.
float linear(float channel) { return std::pow(channel, 2.2f); }

bool isSeen(const mjModel& m, int geom) {
  return m.geom_type[geom] != mjGEOM_PLANE && m.geom_group[geom] <= 2 && m.geom_rgba[4 * geom + 3] > 0;
}

bool isKnown(int type) { return type == mjGEOM_PLANE || type == mjGEOM_SPHERE || type == mjGEOM_CAPSULE || type == mjGEOM_CYLINDER; }

}  // namespace

Stage::Stage(const mjModel& model) : model_(model), data_(nullptr) {
  for (int g = 0; g < model.ngeom; g++)
    if (!isKnown(model.geom_type[g]))
      throw EngineError("SETUP", "The robot model has a geom of type " + std::to_string(model.geom_type[g]) + ", which is not drawn.",
                        "Run: npm run setup");
  data_ = mj_makeData(&model);
  if (data_ == nullptr) throw EngineError("ENVIRONMENT", "There is no memory to draw the robot.", "Free memory.");
  for (int c = 0; c < model.ncam; c++)
    if (model.cam_mode[c] == mjCAMLIGHT_TRACKCOM) followedBody_ = model.cam_bodyid[c];
  measure();
}

Stage::~Stage() { mj_deleteData(data_); }

void Stage::measure() {
  place(model_.qpos0);
  start_ = followed();
  const float far = 1e6f;
  low_ = {far, far, far};
  high_ = {-far, -far, -far};
  for (const Shape& shape : shapes())
    for (const Vec3 end : {shape.a, shape.b}) {
      low_ = {std::min(low_.x, end.x - shape.radius), std::min(low_.y, end.y - shape.radius), std::min(low_.z, end.z - shape.radius)};
      high_ = {std::max(high_.x, end.x + shape.radius), std::max(high_.y, end.y + shape.radius), std::max(high_.z, end.z + shape.radius)};
    }
  floor_ = low_.z - kDeepestFloor * (high_.z - low_.z + 0.1f);
  for (int g = 0; g < model_.ngeom; g++)
    if (model_.geom_type[g] == mjGEOM_PLANE) floor_ = std::max(floor_, static_cast<float>(data_->geom_xpos[3 * g + 2]));
}

void Stage::place(const double* qpos) {
  mju_copy(data_->qpos, qpos, static_cast<int>(model_.nq));
  mj_kinematics(&model_, data_);
  mj_comPos(&model_, data_);
}

Scene Stage::pose(const double* qpos, float aspect) {
  place(qpos);
  const Vec3 size = high_ - low_;
  const float square = std::exp2(std::round(std::log2(0.4f * std::max(size.x, size.z))));
  return {shapes(), floor_, square, cameraAt(followed() - start_, aspect)};
}

std::vector<Shape> Stage::shapes() const {
  std::vector<Shape> shapes;
  for (int g = 0; g < model_.ngeom; g++) {
    if (!isSeen(model_, g)) continue;
    const mjtNum* size = model_.geom_size + 3 * g;
    const mjtNum* matrix = data_->geom_xmat + 9 * g;
    const float half = model_.geom_type[g] == mjGEOM_SPHERE ? 0 : static_cast<float>(size[1]);
    const Vec3 axis = Vec3{static_cast<float>(matrix[2]), static_cast<float>(matrix[5]), static_cast<float>(matrix[8])} * half;
    const Vec3 centre = vec(data_->geom_xpos + 3 * g);
    const float* rgba = model_.geom_rgba + 4 * g;
    shapes.push_back({model_.geom_type[g] == mjGEOM_CYLINDER ? Shape::Kind::kCylinder : Shape::Kind::kRound, centre - axis, centre + axis,
                      static_cast<float>(size[0]), {linear(rgba[0]), linear(rgba[1]), linear(rgba[2])}});
  }
  return shapes;
}

Vec3 Stage::followed() const {
  if (followedBody_ < 0) return {};
  const Vec3 centre = vec(data_->subtree_com + 3 * followedBody_);
  return {centre.x, centre.y, 0};
}

// From the side and a little from the front; from further above where all lies flat on the ground (Swimmer, Reacher).
Camera Stage::cameraAt(Vec3 moved, float aspect) const {
  const Vec3 size = high_ - low_;
  const bool flat = size.z < 0.15f * std::max(size.x, size.y);
  const float azimuth = flat ? 0.0f : 0.35f, elevation = flat ? 1.0f : 0.2f;
  Vec3 target = (low_ + high_) * 0.5f + moved;
  const float deep = size.y * std::cos(azimuth) + size.x * std::sin(azimuth), wide = size.x * std::cos(azimuth) + size.y * std::sin(azimuth);
  const float tall = size.z * std::cos(elevation) + deep * std::sin(elevation);
  const float halfView = kMargin * 0.5f * std::max(tall, wide / aspect);  // metres, of the picture's height
  target.z = flat ? floor_ : floor_ + std::max(0.45f * (high_.z - floor_), 0.5f * halfView);  // long robots may rear up
  const float distance = halfView / std::tan(kHalfFieldOfView) + 0.5f * deep * std::cos(elevation);
  const Vec3 forward{std::sin(-azimuth) * std::cos(elevation), std::cos(azimuth) * std::cos(elevation), -std::sin(elevation)};
  const Vec3 right = normalized(cross(forward, {0, 0, 1}));
  return {target - forward * distance, right, cross(right, forward), forward, std::tan(kHalfFieldOfView)};
}

}  // namespace anchorage::mujoco
