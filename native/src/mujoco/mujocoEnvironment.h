// What Gymnasium's MujocoEnv is to its tasks: reset, step, observation and snapshot around one robot's own rules.
#pragma once

#include <memory>
#include <vector>

#include "../engine/environment.h"
#include "simulation.h"
#include "taskOptions.h"

namespace anchorage::mujoco {

struct Judgement {
  double reward;
  bool terminated;
};

class MujocoEnvironment : public Environment {
 public:
  // Call once before anything else: the observation's length is known only when the task is whole.
  void prepare();

  ResetResult reset(EpisodeRandom& random, bool fresh) final;
  StepResult step(const Action& action) final;
  void observe(void* out) const final;
  void save(Writer& to) const final;
  void load(Reader& from) final;
  Presentation presentation() const final;
  Picture render(int width, int height) const final;

  // Every later episode begins at this state [qpos, qvel]; empty: at random. For tests against recorded trajectories.
  void startAt(std::vector<double> state) { start_ = std::move(state); }

  size_t observationSize() const { return observation_.size(); }

 protected:
  explicit MujocoEnvironment(std::shared_ptr<Simulation> simulation);

  // --- A task defines these. During them data() is the simulator right after this environment's own step or reset. ---

  // Adds the first state's random offsets to qpos [nq] and qvel [nv], which hold the model's initial state on entry.
  virtual void drawStart(EpisodeRandom& random, double* qpos, double* qvel) = 0;
  // The position whose velocity is rewarded, in metres; 0 where none is.
  virtual double progress() const { return 0; }
  // `velocity`: change of progress() over this step, in metres per second. `action` [nu], as it was given. lagged() is
  // what was observed before this step.
  virtual Judgement judge(double velocity, const float* action) const = 0;
  // Writes the leading part of the observation, a function of qpos and qvel; returns its end.
  virtual double* observeState(double* out) const = 0;
  // Writes the rest: fields that mj_step computes before it integrates (xpos, cinert, cvel, qfrc_actuator,
  // qfrc_constraint, cfrc_ext). They lag a substep behind, so they cannot be had back from qpos and qvel.
  virtual double* observeLagged(double* out) const { return out; }
  virtual bool readsContactForces() const { return false; }

  const mjModel& model() const { return simulation_->model(); }
  const mjData& data() const { return simulation_->data(); }
  const double* lagged() const { return observation_.data() + seenState_; }
  int nq() const { return static_cast<int>(model().nq); }
  int nv() const { return static_cast<int>(model().nv); }
  int nu() const { return static_cast<int>(model().nu); }
  int nbody() const { return static_cast<int>(model().nbody); }
  // Where a body's row begins in xpos. Throws SETUP when the model has no body of that name.
  int bodyOffset(const char* name) const;

 private:
  // Gymnasium's reset and set_state.
  void begin(const double* qpos, const double* qvel);
  void writeObservation();
  void requireFinite(double reward, bool terminated) const;

  std::shared_ptr<Simulation> simulation_;  // the batch's: between our steps it holds other environments
  std::vector<double> state_;               // Simulation::stateSize()
  std::vector<double> start_;               // see startAt
  std::vector<double> observation_;
  size_t seenState_ = 0;  // length of its part from observeState; the lagged part follows
  double progress_ = 0;   // progress() after the last step or reset
};

// weight times the sum of squares, in float32, as Gymnasium's action spaces are and as NumPy 2 keeps it.
double controlCost(double weight, const float* action, int count);
double norm3(const double* vector);

double between(EpisodeRandom& random, double low, double high);
// Adds a draw to each of values[0..count): uniform in [low, high), or `scale` times a standard normal.
void addUniform(EpisodeRandom& random, double low, double high, double* values, int count);
void addNormal(EpisodeRandom& random, double scale, double* values, int count);

}  // namespace anchorage::mujoco
