// Swimmer (gymnasium/envs/mujoco/swimmer_v4.py, swimmer_v5.py): both versions give the same numbers.
#include "tasks.h"

namespace anchorage::mujoco {
namespace {

class Swimmer final : public MujocoEnvironment {
 public:
  Swimmer(Shared simulation, const TaskOptions& options)
      : MujocoEnvironment(std::move(simulation)),
        forwardRewardWeight_(options.number("forwardRewardWeight")),
        ctrlCostWeight_(options.number("ctrlCostWeight")),
        resetNoiseScale_(options.number("resetNoiseScale")),
        hidden_(options.flag("excludeCurrentPositionsFromObservation") ? 2 : 0) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qpos, nq());
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qvel, nv());
  }

  double progress() const override { return data().qpos[0]; }

  Judgement judge(double velocity, const float* action) const override {
    return {forwardRewardWeight_ * velocity - controlCost(ctrlCostWeight_, action, nu()), false};
  }

  double* observeState(double* out) const override {
    out = std::copy(data().qpos + hidden_, data().qpos + nq(), out);
    return std::copy(data().qvel, data().qvel + nv(), out);
  }

  double forwardRewardWeight_, ctrlCostWeight_, resetNoiseScale_;
  int hidden_;  // leading positions left out of the observation
};

}  // namespace

Task makeSwimmer(Shared simulation, const TaskOptions& options) {
  return std::make_unique<Swimmer>(std::move(simulation), options);
}

}  // namespace anchorage::mujoco
