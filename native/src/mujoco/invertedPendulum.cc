// InvertedPendulum (gymnasium/envs/mujoco/inverted_pendulum_v4.py, inverted_pendulum_v5.py). Version 4 pays 1 in the
// step that ends the episode, too; version 5 pays 0 there.
#include <algorithm>
#include <cmath>

#include "tasks.h"

namespace anchorage::mujoco {
namespace {

class InvertedPendulum final : public MujocoEnvironment {
 public:
  InvertedPendulum(Shared simulation, const TaskOptions& options)
      : MujocoEnvironment(std::move(simulation)),
        version_(options.version),
        resetNoiseScale_(version_ == 5 ? options.number("resetNoiseScale") : 0.01) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qpos, nq());
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qvel, nv());
  }

  Judgement judge(double, const float*) const override {
    const auto finite = [](double x) { return std::isfinite(x); };
    const double *qpos = data().qpos, *qvel = data().qvel;
    const bool upright = std::all_of(qpos, qpos + nq(), finite) && std::all_of(qvel, qvel + nv(), finite) &&
                         std::abs(qpos[1]) <= 0.2;
    return {upright || version_ == 4 ? 1.0 : 0.0, !upright};
  }

  double* observeState(double* out) const override {
    out = std::copy(data().qpos, data().qpos + nq(), out);
    return std::copy(data().qvel, data().qvel + nv(), out);
  }

  int version_;
  double resetNoiseScale_;
};

}  // namespace

Task makeInvertedPendulum(Shared simulation, const TaskOptions& options) {
  return std::make_unique<InvertedPendulum>(std::move(simulation), options);
}

}  // namespace anchorage::mujoco
