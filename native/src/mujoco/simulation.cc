#include "simulation.h"

#include <cstring>

#include "../engine/error.h"
#include "model.h"

namespace anchorage::mujoco {

Simulation::Simulation(const std::string& modelFile, int frameSkip)
    : model_(sharedModel(modelFile)), data_(nullptr), frameSkip_(frameSkip) {
  const mjModel& m = *model_;
  if (m.na != 0 || m.nmocap != 0 || m.nplugin != 0 || m.neq != 0 || m.nhistory != 0)
    throw EngineError("SETUP", "The robot model " + modelFile + " keeps state that snapshots do not carry.", "Run: npm run setup");
  data_ = mj_makeData(model_.get());
  if (data_ == nullptr) throw EngineError("ENVIRONMENT", "There is no memory to simulate " + modelFile + ".", "Free memory or use fewer workers.");
}

Simulation::~Simulation() { mj_deleteData(data_); }

void Simulation::load(const double* state) {
  const size_t nq = static_cast<size_t>(model_->nq), nv = static_cast<size_t>(model_->nv);
  std::memcpy(data_->qpos, state, nq * sizeof(double));
  std::memcpy(data_->qvel, state + nq, nv * sizeof(double));
  std::memcpy(data_->qacc_warmstart, state + nq + nv, nv * sizeof(double));
}

void Simulation::store(double* state) const {
  const size_t nq = static_cast<size_t>(model_->nq), nv = static_cast<size_t>(model_->nv);
  std::memcpy(state, data_->qpos, nq * sizeof(double));
  std::memcpy(state + nq, data_->qvel, nv * sizeof(double));
  std::memcpy(state + nq + nv, data_->qacc_warmstart, nv * sizeof(double));
}

// After mju_error the simulator's own stack is in the middle of something. It holds no environment's state, so it may
// simply begin anew, and the batch can be reset or loaded.
template <class Body>
void Simulation::recovering(Body body) {
  try {
    body();
  } catch (...) {
    mj_resetData(model_.get(), data_);
    throw;
  }
}

void Simulation::start(const double* qpos, const double* qvel) {
  mj_resetData(model_.get(), data_);
  std::memcpy(data_->qpos, qpos, static_cast<size_t>(model_->nq) * sizeof(double));
  std::memcpy(data_->qvel, qvel, static_cast<size_t>(model_->nv) * sizeof(double));
  recovering([this] { mj_forward(model_.get(), data_); });
  countWarnings();
}

void Simulation::advance(const float* action) {
  for (int i = 0; i < model_->nu; i++) data_->ctrl[i] = action[i];
  recovering([this] {
    for (int frame = 0; frame < frameSkip_; frame++) mj_step(model_.get(), data_);
  });
  countWarnings();
}

Stage& Simulation::stage() {
  if (!stage_) stage_ = std::make_unique<Stage>(*model_);
  return *stage_;
}

void Simulation::computeContactForces() {
  recovering([this] { mj_rnePostConstraint(model_.get(), data_); });
}

void Simulation::countWarnings() {
  bool diverged = false;
  for (int kind = 0; kind < mjNWARNING; kind++) {
    mjWarningStat& warning = data_->warning[kind];
    if (warning.number == 0) continue;
    if (kind == mjWARN_BADQPOS || kind == mjWARN_BADQVEL || kind == mjWARN_BADQACC)
      diverged = true;
    else
      warnings_ += static_cast<uint64_t>(warning.number);
    warning.number = 0;  // MuJoCo would report the next one of this kind only after mj_resetData
  }
  if (diverged) divergences_++;
}

}  // namespace anchorage::mujoco
