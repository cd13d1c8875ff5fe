// Humanoid (gymnasium/envs/mujoco/humanoid_v4.py, humanoid_v5.py). Version 4 observes the world's rows and the root's
// actuator forces, which are 0, and pays the healthy reward in the step that ends the episode; version 5 leaves those
// out and charges for contact forces.
#include <algorithm>

#include "numpySum.h"
#include "tasks.h"

namespace anchorage::mujoco {
namespace {

class Humanoid final : public MujocoEnvironment {
 public:
  Humanoid(Shared simulation, const TaskOptions& options)
      : MujocoEnvironment(std::move(simulation)),
        version_(options.version),
        forwardRewardWeight_(options.number("forwardRewardWeight")),
        ctrlCostWeight_(options.number("ctrlCostWeight")),
        contactCostWeight_(version_ == 5 ? options.number("contactCostWeight") : 0),
        contactCostRange_(version_ == 5 ? options.range("contactCost") : Range{0, 0}),
        healthyReward_(options.number("healthyReward")),
        terminateWhenUnhealthy_(options.flag("terminateWhenUnhealthy")),
        healthyZ_(options.range("healthyZ")),
        resetNoiseScale_(options.number("resetNoiseScale")),
        hidden_(options.flag("excludeCurrentPositionsFromObservation") ? 2 : 0),
        observesInertia_(version_ == 4 || options.flag("includeCinertInObservation")),
        observesVelocity_(version_ == 4 || options.flag("includeCvelInObservation")),
        observesActuators_(version_ == 4 || options.flag("includeQfrcActuatorInObservation")),
        observesContacts_(version_ == 4 || options.flag("includeCfrcExtInObservation")),
        mass_(numpySum<double>(nbody(), [this](int body) { return model().body_mass[body]; })) {}

 private:
  void drawStart(EpisodeRandom& random, double* qpos, double* qvel) override {
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qpos, nq());
    addUniform(random, -resetNoiseScale_, resetNoiseScale_, qvel, nv());
  }

  // x of the centre of mass
  double progress() const override {
    double moment = 0;
    for (int body = 0; body < nbody(); body++) moment += model().body_mass[body] * data().xipos[3 * body];
    return moment / mass_;
  }

  bool readsContactForces() const override { return true; }

  Judgement judge(double velocity, const float*) const override {
    const bool healthy = healthyZ_.contains(data().qpos[2]);
    const bool paid = healthy || (version_ == 4 && terminateWhenUnhealthy_);
    const double rewards = forwardRewardWeight_ * velocity + (paid ? healthyReward_ : 0);
    double costs = ctrlCostWeight_ * sumOfSquares(data().ctrl, nu());  // float64, unlike the other robots' cost
    if (version_ == 5)
      costs += contactCostRange_.clip(contactCostWeight_ * sumOfSquares(data().cfrc_ext, 6 * nbody()));
    return {rewards - costs, !healthy && terminateWhenUnhealthy_};
  }

  double* observeState(double* out) const override {
    out = std::copy(data().qpos + hidden_, data().qpos + nq(), out);
    return std::copy(data().qvel, data().qvel + nv(), out);
  }

  double* observeLagged(double* out) const override {
    const int bodies = nbody(), first = version_ == 5 ? 1 : 0;  // body 0 is the world
    const mjData& d = data();
    if (observesInertia_) out = std::copy(d.cinert + 10 * first, d.cinert + 10 * bodies, out);
    if (observesVelocity_) out = std::copy(d.cvel + 6 * first, d.cvel + 6 * bodies, out);
    if (observesActuators_) out = std::copy(d.qfrc_actuator + 6 * first, d.qfrc_actuator + nv(), out);
    if (observesContacts_) out = std::copy(d.cfrc_ext + 6 * first, d.cfrc_ext + 6 * bodies, out);
    return out;
  }

  int version_;
  double forwardRewardWeight_, ctrlCostWeight_, contactCostWeight_;
  Range contactCostRange_;
  double healthyReward_;
  bool terminateWhenUnhealthy_;
  Range healthyZ_;
  double resetNoiseScale_;
  int hidden_;  // leading positions left out of the observation
  bool observesInertia_, observesVelocity_, observesActuators_, observesContacts_;
  double mass_;  // of all bodies
};

}  // namespace

Task makeHumanoid(Shared simulation, const TaskOptions& options) {
  return std::make_unique<Humanoid>(std::move(simulation), options);
}

}  // namespace anchorage::mujoco
