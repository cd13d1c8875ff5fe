// InvertedDoublePendulum (gymnasium/envs/mujoco/inverted_double_pendulum_v4.py, ..._v5.py). Version 4 pays the bonus in
// the step that ends the episode, too, and observes all three constraint forces, of which two are always 0.
#include <algorithm>
#include <cmath>

#include "tasks.h"

namespace anchorage::mujoco {
namespace {

const Range seen{-10, 10};

class InvertedDoublePendulum final : public MujocoEnvironment {
 public:
  InvertedDoublePendulum(Shared simulation, const TaskOptions& options)
      : MujocoEnvironment(std::move(simulation)),
        version_(options.version),
        healthyReward_(version_ == 5 ? options.number("healthyReward") : 10),
        resetNoiseScale_(version_ == 5 ? options.number("resetNoiseScale") : 0.1) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qpos, nq());
    addNormal(random, resetNoiseScale_, qvel, nv());
  }

  Judgement judge(double, const float*) const override {
    const double x = data().site_xpos[0], y = data().site_xpos[2];  // of the tip
    const double v1 = data().qvel[1], v2 = data().qvel[2];
    const bool fallen = y <= 1;
    const double distance = 0.01 * (x * x) + (y - 2) * (y - 2);
    const double speed = 1e-3 * (v1 * v1) + 5e-3 * (v2 * v2);
    const double bonus = version_ == 4 || !fallen ? healthyReward_ : 0;
    return {bonus - distance - speed, fallen};
  }

  double* observeState(double* out) const override {
    const double *qpos = data().qpos, *qvel = data().qvel;
    *out++ = qpos[0];
    out = std::transform(qpos + 1, qpos + nq(), out, [](double angle) { return std::sin(angle); });
    out = std::transform(qpos + 1, qpos + nq(), out, [](double angle) { return std::cos(angle); });
    return std::transform(qvel, qvel + nv(), out, [](double v) { return seen.clip(v); });
  }

  double* observeLagged(double* out) const override {
    const double* forces = data().qfrc_constraint;
    return std::transform(forces, forces + (version_ == 5 ? 1 : nv()), out, [](double f) { return seen.clip(f); });
  }

  int version_;
  double healthyReward_, resetNoiseScale_;
};

}  // namespace

Task makeInvertedDoublePendulum(Shared simulation, const TaskOptions& options) {
  return std::make_unique<InvertedDoublePendulum>(std::move(simulation), options);
}

}  // namespace anchorage::mujoco
