// The robots' tasks, one family per file, each in Gymnasium's versions 4 and 5.
#pragma once

#include <memory>

#include "mujocoEnvironment.h"

namespace anchorage::mujoco {

using Task = std::unique_ptr<MujocoEnvironment>;
using Shared = std::shared_ptr<Simulation>;

Task makeHalfCheetah(Shared simulation, const TaskOptions& options);
Task makeSwimmer(Shared simulation, const TaskOptions& options);
Task makeHopper(Shared simulation, const TaskOptions& options);
Task makeWalker2d(Shared simulation, const TaskOptions& options);
Task makeAnt(Shared simulation, const TaskOptions& options);
Task makeHumanoid(Shared simulation, const TaskOptions& options);
Task makeInvertedPendulum(Shared simulation, const TaskOptions& options);
Task makeInvertedDoublePendulum(Shared simulation, const TaskOptions& options);
Task makeReacher(Shared simulation, const TaskOptions& options);
Task makePusher(Shared simulation, const TaskOptions& options);

// The task of options.family. Throws CONFIG where there is none of that name.
Task makeTask(Shared simulation, const TaskOptions& options);

}  // namespace anchorage::mujoco
