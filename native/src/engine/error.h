// The one error of the engine: becomes a JavaScript Error with `code` (an ErrorCode of shared/errors.ts) and `remedy`,
// from which native/envBatch.ts makes an OperatorError.
#pragma once

#include <stdexcept>
#include <string>

namespace anchorage {

class EngineError : public std::runtime_error {
 public:
  // `code`: CONFIG, ENVIRONMENT, SHAPE, CORRUPT, MISMATCH, SETUP or NUMERIC. `problem` names values and ends with a full stop.
  EngineError(const char* code, const std::string& problem, std::string remedy)
      : std::runtime_error(problem), code_(code), remedy_(std::move(remedy)) {}
  const char* code() const { return code_; }
  const std::string& remedy() const { return remedy_; }

 private:
  const char* code_;
  std::string remedy_;
};

}  // namespace anchorage
