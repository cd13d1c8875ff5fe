// The N-API glue, once for all families. An addon.cc holds
//
//   struct Family {
//     struct Config { ... };                                              // parsed options; may hold shared, immutable data
//     static Config parse(const Napi::Object& options);                   // throws EngineError
//     static EnvironmentShape describe(const Config&);
//     static std::unique_ptr<Environment> make(const Config&);
//   };
//   ANCHORAGE_ADDON(Family)
//
// and exports `describe(options)`, `Batch` and the random numbers (for the test that compares them with TypeScript's).
// No state outside JavaScript objects, so the addon loads in any number of worker threads.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "batch.h"
#include "javascript.h"

namespace anchorage {

template <class Family>
class BatchObject : public Napi::ObjectWrap<BatchObject<Family>> {
 public:
  static Napi::Function define(Napi::Env env) {
    using Self = BatchObject<Family>;
    return Self::DefineClass(env, "Batch",
                             {Self::InstanceMethod("reset", &Self::reset), Self::InstanceMethod("step", &Self::step),
                              Self::InstanceMethod("save", &Self::save), Self::InstanceMethod("load", &Self::load),
                              Self::InstanceMethod("unstableSteps", &Self::unstableSteps),
                              Self::InstanceMethod("presentation", &Self::presentation), Self::InstanceMethod("render", &Self::render),
                              Self::InstanceMethod("close", &Self::close)});
  }

  // new Batch({ identity, size, maxEpisodeSteps, ...options }, { observations, finalObservations, rewards, ... })
  explicit BatchObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BatchObject<Family>>(info) {
    guarded(info.Env(), [&] {
      if (info.Length() != 2 || !info[0].IsObject() || !info[1].IsObject())
        throw EngineError("CONFIG", "Batch needs options and arrays.", "Make batches with native/envBatch.ts.");
      const auto options = info[0].As<Napi::Object>();
      const int size = intOption(options, "size", 1, 1 << 16);
      const auto config = Family::parse(options);
      std::vector<std::unique_ptr<Environment>> environments;
      for (int e = 0; e < size; ++e) environments.push_back(Family::make(config));
      batch_ = std::make_unique<Batch>(Family::describe(config), stringOption(options, "identity"),
                                       intOption(options, "maxEpisodeSteps", 0, 0x7ffffffe), std::move(environments));
      arrays_ = Napi::Persistent(info[1].As<Napi::Object>());
      arrays();
    });
  }

 private:
  Batch& batch() {
    if (!batch_) throw EngineError("ENVIRONMENT", "The batch has been closed.", "Make a new one.");
    return *batch_;
  }

  template <class T>
  T* array(const char* name, napi_typedarray_type type, size_t length) {
    return static_cast<T*>(arrayData(name, arrays_.Value().Get(name), type, length));
  }

  BatchArrays arrays() {
    const size_t size = batch().size();
    const EnvironmentShape& shape = batch().shape();
    const napi_typedarray_type dtype = shape.dtype == Dtype::kUint8     ? napi_uint8_array
                                       : shape.dtype == Dtype::kFloat32 ? napi_float32_array
                                                                        : napi_float64_array;
    return {array<uint8_t>("observations", dtype, size * shape.elements()),
            array<uint8_t>("finalObservations", dtype, size * shape.elements()),
            array<float>("rewards", napi_float32_array, size),
            array<double>("rawRewards", napi_float64_array, size),
            array<uint8_t>("terminated", napi_uint8_array, size),
            array<uint8_t>("truncated", napi_uint8_array, size),
            array<uint8_t>("stackRefilled", napi_uint8_array, size),
            array<uint8_t>("episodeEnded", napi_uint8_array, size),
            array<double>("episodeReturns", napi_float64_array, size),
            array<int32_t>("episodeLengths", napi_int32_array, size)};
  }

  void reset(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      const auto* seeds = static_cast<uint64_t*>(arrayData("seeds", info[0], napi_biguint64_array, batch().size()));
      batch().reset(seeds, arrays());
    });
  }

  void step(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      const EnvironmentShape& shape = batch().shape();
      const size_t size = batch().size();
      if (shape.discreteActions > 0)
        batch().step(static_cast<int32_t*>(arrayData("actions", info[0], napi_int32_array, size)), nullptr, arrays());
      else
        batch().step(nullptr, static_cast<float*>(arrayData("actions", info[0], napi_float32_array, size * shape.actionLow.size())),
                     arrays());
    });
  }

  Napi::Value save(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      Writer writer;
      batch().save(writer);
      Napi::Uint8Array out = Napi::Uint8Array::New(info.Env(), writer.size());
      std::memcpy(out.Data(), writer.content().data(), writer.size());
      return out;
    });
  }

  void load(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      if (!info[0].IsTypedArray())
        throw EngineError("SHAPE", "The snapshot is not a Uint8Array.", "Give the bytes that save() gave.");
      const size_t length = info[0].As<Napi::TypedArray>().ElementLength();
      const auto* bytes = static_cast<uint8_t*>(arrayData("snapshot", info[0], napi_uint8_array, length));
      const auto* sources = info[1].IsUndefined()
                                ? nullptr
                                : static_cast<int32_t*>(arrayData("sources", info[1], napi_int32_array, batch().size()));
      batch().load(bytes, length, sources, arrays());
    });
  }

  Napi::Value unstableSteps(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), static_cast<double>(batch().unstableSteps()));
    });
  }

  // { secondsPerStep, actionNames }
  Napi::Value presentation(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const Presentation shown = batch().presentation();
      Napi::Array names = Napi::Array::New(info.Env(), shown.actionNames.size());
      for (size_t i = 0; i < shown.actionNames.size(); ++i) names.Set(static_cast<uint32_t>(i), Napi::String::New(info.Env(), shown.actionNames[i]));
      Napi::Object out = Napi::Object::New(info.Env());
      out.Set("secondsPerStep", Napi::Number::New(info.Env(), shown.secondsPerStep));
      out.Set("actionNames", names);
      return out;
    });
  }

  // render({ environment, width, height }) -> { width, height, pixelated, rgb }
  Napi::Value render(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      if (!info[0].IsObject()) throw EngineError("CONFIG", "render() needs an object.", "Make batches with native/envBatch.ts.");
      const auto wanted = info[0].As<Napi::Object>();
      const int e = intOption(wanted, "environment", 0, static_cast<int>(batch().size()) - 1);
      const Picture picture = batch().render(static_cast<size_t>(e), intOption(wanted, "width", 16, 4096), intOption(wanted, "height", 16, 4096));
      Napi::Uint8Array rgb = Napi::Uint8Array::New(info.Env(), picture.rgb.size());
      std::memcpy(rgb.Data(), picture.rgb.data(), picture.rgb.size());
      Napi::Object out = Napi::Object::New(info.Env());
      out.Set("width", Napi::Number::New(info.Env(), picture.width));
      out.Set("height", Napi::Number::New(info.Env(), picture.height));
      out.Set("pixelated", Napi::Boolean::New(info.Env(), picture.pixelated));
      out.Set("rgb", rgb);
      return out;
    });
  }

  void close(const Napi::CallbackInfo&) {
    batch_.reset();
    arrays_.Reset();
  }

  std::unique_ptr<Batch> batch_;
  Napi::ObjectReference arrays_;
};

// philox(key: bigint, c0, c1, c2, c3) -> Uint32Array[4], and draws(seed: bigint, episode, kind, count) -> Float64Array.
inline Napi::Value philoxForTest(const Napi::CallbackInfo& info) {
  bool exact = false;
  const uint64_t key = info[0].As<Napi::BigInt>().Uint64Value(&exact);
  const auto word = [&](size_t i) { return info[i].As<Napi::Number>().Uint32Value(); };
  const PhiloxBlock block = philox(key, word(1), word(2), word(3), word(4));
  Napi::Uint32Array out = Napi::Uint32Array::New(info.Env(), block.size());
  for (size_t i = 0; i < block.size(); ++i) out[i] = block[i];
  return out;
}

inline Napi::Value drawsForTest(const Napi::CallbackInfo& info) {
  bool exact = false;
  EpisodeRandom random(info[0].As<Napi::BigInt>().Uint64Value(&exact), static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()));
  const std::string kind = info[2].As<Napi::String>().Utf8Value();
  const size_t count = info[3].As<Napi::Number>().Uint32Value();
  Napi::Float64Array out = Napi::Float64Array::New(info.Env(), count);
  for (size_t i = 0; i < count; ++i) out[i] = kind == "normal" ? random.normal() : random.uniform();
  return out;
}

template <class Family>
Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("Batch", BatchObject<Family>::define(env));
  exports.Set("describe", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return toJs(info.Env(), Family::describe(Family::parse(info[0].As<Napi::Object>())));
    });
  }));
  exports.Set("philox", Napi::Function::New(env, philoxForTest));
  exports.Set("draws", Napi::Function::New(env, drawsForTest));
  return exports;
}

}  // namespace anchorage

#define ANCHORAGE_ADDON(Family)                                          \
  static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) {   \
    return anchorage::initialise<Family>(env, exports);                  \
  }                                                                      \
  NODE_API_MODULE(anchorage, InitAddon)
