// Reacher (gymnasium/envs/mujoco/reacher_v4.py, reacher_v5.py). Version 4 pays for the distance before the step, version
// 5 for the one after it, and leaves the distance's z, always 0, out of the observation.
#include <algorithm>
#include <cmath>

#include "tasks.h"

namespace anchorage::mujoco {
namespace {

class Reacher final : public MujocoEnvironment {
 public:
  Reacher(Shared simulation, const TaskOptions& options)
      : MujocoEnvironment(std::move(simulation)),
        version_(options.version),
        distWeight_(version_ == 5 ? options.number("rewardDistWeight") : 1),
        controlWeight_(version_ == 5 ? options.number("rewardControlWeight") : 1),
        fingertip_(bodyOffset("fingertip")),
        target_(bodyOffset("target")) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    addUniform(random, -0.1, 0.1, qpos, nq() - 2);
    double* goal = qpos + nq() - 2;  // uniform in a disk of radius 0.2 m
    do {
      goal[0] = between(random, -0.2, 0.2);
      goal[1] = between(random, -0.2, 0.2);
    } while (std::hypot(goal[0], goal[1]) >= 0.2);
    addUniform(random, -0.005, 0.005, qvel, nv() - 2);
    std::fill(qvel + nv() - 2, qvel + nv(), 0.0);
  }

  Judgement judge(double, const float* action) const override {
    double gap[3];
    writeGap(gap, 3);
    const double distance = norm3(version_ == 4 ? lagged() : gap);
    return {-distance * distWeight_ - controlCost(controlWeight_, action, nu()), false};
  }

  void writeGap(double* out, int count) const {
    for (int k = 0; k < count; k++) out[k] = data().xpos[fingertip_ + k] - data().xpos[target_ + k];
  }

  double* observeState(double* out) const override {
    const double *qpos = data().qpos, *qvel = data().qvel;
    out = std::transform(qpos, qpos + 2, out, [](double angle) { return std::cos(angle); });
    out = std::transform(qpos, qpos + 2, out, [](double angle) { return std::sin(angle); });
    out = std::copy(qpos + 2, qpos + nq(), out);
    return std::copy(qvel, qvel + 2, out);
  }

  double* observeLagged(double* out) const override {
    const int count = version_ == 5 ? 2 : 3;
    writeGap(out, count);
    return out + count;
  }

  int version_;
  double distWeight_, controlWeight_;
  int fingertip_, target_;  // offsets in xpos
};

}  // namespace

Task makeReacher(Shared simulation, const TaskOptions& options) {
  return std::make_unique<Reacher>(std::move(simulation), options);
}

}  // namespace anchorage::mujoco
