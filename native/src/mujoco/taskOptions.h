// The settings of one environment, as native/mujocoEnvironments.ts hands them over: complete, without defaults here.
#pragma once

#include <map>
#include <string>

#include "../engine/error.h"

namespace anchorage::mujoco {

struct Range {
  double low, high;
  bool contains(double x) const { return low < x && x < high; }
  double clip(double x) const { return x < low ? low : x > high ? high : x; }  // NaN stays NaN, as in numpy.clip
};

struct TaskOptions {
  std::string family;
  int version = 0;  // 4 or 5
  std::map<std::string, double> values;  // flags are 0 and 1

  double number(const std::string& name) const {
    const auto found = values.find(name);
    if (found == values.end())
      throw EngineError("CONFIG", "Option " + name + " of " + family + " is missing.", "Make batches with native/envBatch.ts.");
    return found->second;
  }
  bool flag(const std::string& name) const { return number(name) != 0; }
  Range range(const std::string& name) const { return {number(name + "Min"), number(name + "Max")}; }
};

}  // namespace anchorage::mujoco
