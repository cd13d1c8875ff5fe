// Robot models: one read-only mjModel per file and process, shared by every EnvBatch and worker thread.
#pragma once

#include <mujoco/mujoco.h>

#include <memory>
#include <string>

namespace anchorage::mujoco {

// Reads an MJCF file, or hands out the copy that is in use already. Freed when its last user goes.
// Throws SETUP with MuJoCo's own words when the file is missing or wrong.
std::shared_ptr<const mjModel> sharedModel(const std::string& file);

// From now on mju_error throws ENVIRONMENT (it would exit the process) and a warning writes nothing to the
// terminal or to MUJOCO_LOG.TXT: warnings are counted in mjData, which is where Simulation reads them. Idempotent.
void installMujocoHandlers();

}  // namespace anchorage::mujoco
