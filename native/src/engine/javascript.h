// What crosses between JavaScript and C++: errors, options, typed arrays, descriptions.
#pragma once

#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif
#ifndef NAPI_CPP_EXCEPTIONS
#define NAPI_CPP_EXCEPTIONS
#endif
#include <napi.h>

#include <exception>
#include <string>
#include <vector>

#include "environment.h"
#include "error.h"

namespace anchorage {

// Runs `body`; whatever C++ throws leaves as a JavaScript Error with `code` and `remedy`.
template <class Body>
auto guarded(Napi::Env env, Body&& body) {
  const auto toJs = [env](const char* code, const std::string& problem, const std::string& remedy) {
    Napi::Error error = Napi::Error::New(env, problem);
    error.Set("code", Napi::String::New(env, code));
    error.Set("remedy", Napi::String::New(env, remedy));
    return error;
  };
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const EngineError& error) {
    throw toJs(error.code(), error.what(), error.remedy());
  } catch (const std::exception& error) {
    throw toJs("ENVIRONMENT", std::string("The native environment failed: ") + error.what() + ".", "This is a bug: please report it.");
  } catch (...) {
    throw toJs("ENVIRONMENT", "The native environment failed for an unknown reason.", "This is a bug: please report it.");
  }
}

// A property that must be there with that type; TypeScript has validated the values' ranges.
inline Napi::Value required(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (value.IsUndefined())
    throw EngineError("CONFIG", std::string("Option ") + name + " is missing.", "Make batches with native/envBatch.ts.");
  return value;
}
inline double numberOption(const Napi::Object& options, const char* name) {
  const Napi::Value value = required(options, name);
  if (!value.IsNumber()) throw EngineError("CONFIG", std::string("Option ") + name + " is not a number.", "Give a number.");
  return value.As<Napi::Number>().DoubleValue();
}
inline int intOption(const Napi::Object& options, const char* name, int low, int high) {
  const double value = numberOption(options, name);
  if (!(value >= low && value <= high) || value != static_cast<int>(value))
    throw EngineError("CONFIG", std::string("Option ") + name + " is " + std::to_string(value) + ".",
                      "Give a whole number from " + std::to_string(low) + " to " + std::to_string(high) + ".");
  return static_cast<int>(value);
}
inline bool boolOption(const Napi::Object& options, const char* name) {
  const Napi::Value value = required(options, name);
  if (!value.IsBoolean()) throw EngineError("CONFIG", std::string("Option ") + name + " is not true or false.", "Give true or false.");
  return value.As<Napi::Boolean>().Value();
}
inline std::string stringOption(const Napi::Object& options, const char* name) {
  const Napi::Value value = required(options, name);
  if (!value.IsString()) throw EngineError("CONFIG", std::string("Option ") + name + " is not a text.", "Give a text.");
  return value.As<Napi::String>().Utf8Value();
}

inline Napi::Array toJs(Napi::Env env, const std::vector<double>& values) {
  Napi::Array out = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) out.Set(static_cast<uint32_t>(i), Napi::Number::New(env, values[i]));
  return out;
}

// { dtype, shape, frameStack, discreteActions, actionLow, actionHigh, framesPerStep }
inline Napi::Object toJs(Napi::Env env, const EnvironmentShape& shape) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("dtype", shape.dtype == Dtype::kUint8 ? "uint8" : shape.dtype == Dtype::kFloat32 ? "float32" : "float64");
  out.Set("shape", toJs(env, std::vector<double>(shape.observation.begin(), shape.observation.end())));
  out.Set("frameStack", Napi::Number::New(env, shape.frameStack));
  out.Set("discreteActions", Napi::Number::New(env, shape.discreteActions));
  out.Set("actionLow", toJs(env, shape.actionLow));
  out.Set("actionHigh", toJs(env, shape.actionHigh));
  out.Set("framesPerStep", Napi::Number::New(env, shape.framesPerStep));
  return out;
}

// The memory of a typed array, looked up at each call: a transferred (detached) array has length 0 and is refused.
inline void* arrayData(const char* name, const Napi::Value& value, napi_typedarray_type type, size_t length) {
  static constexpr const char* kNames[] = {"Int8Array",    "Uint8Array",   "Uint8ClampedArray", "Int16Array",    "Uint16Array",   "Int32Array",
                                           "Uint32Array",  "Float32Array", "Float64Array",      "BigInt64Array", "BigUint64Array"};
  if (!value.IsTypedArray())
    throw EngineError("SHAPE", std::string(name) + " is not a typed array.", std::string("Give a ") + kNames[type] + ".");
  napi_typedarray_type actualType;
  size_t actualLength = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &actualType, &actualLength, &data, nullptr, nullptr) != napi_ok)
    throw EngineError("SHAPE", std::string(name) + " cannot be read.", std::string("Give a ") + kNames[type] + ".");
  if (actualType != type)
    throw EngineError("SHAPE", std::string(name) + " is not a " + kNames[type] + ".", std::string("Give a ") + kNames[type] + ".");
  if (actualLength != length)
    throw EngineError("SHAPE", std::string(name) + " has " + std::to_string(actualLength) + " elements, expected " + std::to_string(length) + ".",
                      "Give one entry per environment (and action dimension); do not transfer the batch's arrays.");
  return data;
}

}  // namespace anchorage
