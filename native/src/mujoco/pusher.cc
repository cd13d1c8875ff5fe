// Pusher (gymnasium/envs/mujoco/pusher_v5.py).
#include <algorithm>
#include <cmath>

#include "tasks.h"

namespace anchorage::mujoco {
namespace {

constexpr int armJoints = 7;

class Pusher final : public MujocoEnvironment {
 public:
  Pusher(Shared simulation, const TaskOptions& options)
      : MujocoEnvironment(std::move(simulation)),
        nearWeight_(options.number("rewardNearWeight")),
        distWeight_(options.number("rewardDistWeight")),
        controlWeight_(options.number("rewardControlWeight")),
        arm_(bodyOffset("tips_arm")),
        object_(bodyOffset("object")),
        goal_(bodyOffset("goal")) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    double* object = qpos + nq() - 4;  // uniform in a rectangle, at least 0.17 m from the goal
    do {
      object[0] = between(random, -0.3, 0);
      object[1] = between(random, -0.2, 0.2);
    } while (std::hypot(object[0], object[1]) <= 0.17);
    std::fill(qpos + nq() - 2, qpos + nq(), 0.0);
    addUniform(random, -0.005, 0.005, qvel, nv() - 4);
    std::fill(qvel + nv() - 4, qvel + nv(), 0.0);
  }

  Judgement judge(double, const float* action) const override {
    const double near = -distance(object_, arm_) * nearWeight_;
    const double far = -distance(object_, goal_) * distWeight_;
    return {far - controlCost(controlWeight_, action, nu()) + near, false};
  }

  double distance(int from, int to) const {
    double gap[3];
    for (int k = 0; k < 3; k++) gap[k] = data().xpos[from + k] - data().xpos[to + k];
    return norm3(gap);
  }

  double* observeState(double* out) const override {
    out = std::copy(data().qpos, data().qpos + armJoints, out);
    return std::copy(data().qvel, data().qvel + armJoints, out);
  }

  double* observeLagged(double* out) const override {
    for (const int body : {arm_, object_, goal_}) out = std::copy(data().xpos + body, data().xpos + body + 3, out);
    return out;
  }

  double nearWeight_, distWeight_, controlWeight_;
  int arm_, object_, goal_;  // offsets in xpos
};

}  // namespace

Task makePusher(Shared simulation, const TaskOptions& options) {
  return std::make_unique<Pusher>(std::move(simulation), options);
}

}  // namespace anchorage::mujoco
