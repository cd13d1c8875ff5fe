// Pictures of a scene by casting rays: no OpenGL, so that they are drawn in a container, on a machine without a display
// and in a test alike, and are the same there to the bit.
#pragma once

#include "../../engine/environment.h"
#include "scene.h"

namespace anchorage::mujoco {

Picture draw(const Scene& scene, int width, int height);

}  // namespace anchorage::mujoco
