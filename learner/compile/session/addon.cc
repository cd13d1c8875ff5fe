// N-API: new Session(graphDef, config).prepare(feeds, fetches, targets).run(inputs, outputs). Runs are synchronous: the
// session lives in the trainer's worker thread, which has nothing else to do meanwhile. No global state, so any number
// of threads may load this addon.
#define NODE_ADDON_API_CPP_EXCEPTIONS
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL  // std::exception, too, becomes a JavaScript error
#include <napi.h>

#include <cstring>
#include <optional>

#include "runtime.h"

namespace anchorage {
namespace {

const char* codeName(TF_Code code) {
  switch (code) {
    case TF_INVALID_ARGUMENT: return "TF_INVALID_ARGUMENT";
    case TF_NOT_FOUND: return "TF_NOT_FOUND";
    case TF_RESOURCE_EXHAUSTED: return "TF_RESOURCE_EXHAUSTED";
    case TF_FAILED_PRECONDITION: return "TF_FAILED_PRECONDITION";
    case TF_UNIMPLEMENTED: return "TF_UNIMPLEMENTED";
    default: return "TF_ERROR";
  }
}

Napi::Error javascriptError(Napi::Env env, const TensorFlowError& error) {
  Napi::Error translated = Napi::Error::New(env, error.what());
  translated.Value().Set("code", codeName(error.code));
  return translated;
}

std::optional<napi_typedarray_type> arrayType(TF_DataType dtype) {
  switch (dtype) {
    case TF_FLOAT: return napi_float32_array;
    case TF_INT32: return napi_int32_array;
    case TF_UINT8: return napi_uint8_array;
    default: return std::nullopt;
  }
}

// The bytes of a typed array that must hold `dtype` and have `bytes` bytes.
uint8_t* checkedBytes(Napi::Env env, const Napi::Value& value, const std::string& name, TF_DataType dtype, size_t bytes) {
  if (!value.IsTypedArray()) throw Napi::TypeError::New(env, name + ": expected a typed array");
  const Napi::TypedArray array = value.As<Napi::TypedArray>();
  const std::optional<napi_typedarray_type> wanted = arrayType(dtype);
  if (!wanted || array.TypedArrayType() != *wanted)
    throw Napi::TypeError::New(env, name + ": the typed array does not have the tensor's dtype " + std::to_string(dtype));
  if (array.ByteLength() != bytes)
    throw Napi::RangeError::New(env, name + " has " + std::to_string(array.ByteLength()) + " bytes, expected " +
                                         std::to_string(bytes));
  return static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
}

Napi::Array checkedList(Napi::Env env, const Napi::Value& value, const std::string& name, size_t length) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() != length)
    throw Napi::TypeError::New(env, name + ": expected an array of " + std::to_string(length));
  return value.As<Napi::Array>();
}

std::vector<std::string> names(Napi::Env env, const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(env, "expected an array of tensor names");
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<std::string> result;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Value name = list[i];
    if (!name.IsString()) throw Napi::TypeError::New(env, "expected an array of tensor names");
    result.push_back(name.As<Napi::String>());
  }
  return result;
}

class PreparedCall : public Napi::ObjectWrap<PreparedCall> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "PreparedCall",
                       {InstanceMethod<&PreparedCall::run>("run"), InstanceMethod<&PreparedCall::profile>("profile")});
  }
  explicit PreparedCall(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PreparedCall>(info) {}

  void prepare(const std::shared_ptr<Graph>& graph, const Napi::CallbackInfo& info) {
    call_.emplace(graph, names(info.Env(), info[0]), names(info.Env(), info[1]), names(info.Env(), info[2]));
  }

 private:
  // run(inputs, outputs): typed arrays in the order of the feeds and fetches; fills the outputs.
  Napi::Value run(const Napi::CallbackInfo& info) {
    execute(info, nullptr);
    return info.Env().Undefined();
  }

  // The same, and gives the serialized RunMetadata with the time of every operation.
  Napi::Value profile(const Napi::CallbackInfo& info) {
    const BufferHandle metadata(TF_NewBuffer());
    execute(info, metadata.get());
    return Napi::Buffer<uint8_t>::Copy(info.Env(), static_cast<const uint8_t*>(metadata->data), metadata->length);
  }

  void execute(const Napi::CallbackInfo& info, TF_Buffer* metadata) {
    const Napi::Env env = info.Env();
    if (!call_) throw Napi::Error::New(env, "a call is made by session.prepare");
    const Napi::Array inputs = checkedList(env, info[0], "inputs", call_->feeds().size());
    const Napi::Array outputs = checkedList(env, info[1], "outputs", call_->fetches().size());
    std::vector<const uint8_t*> sources;
    for (uint32_t i = 0; i < inputs.Length(); i++) {
      const Feed& feed = call_->feeds()[i];
      sources.push_back(checkedBytes(env, inputs[i], feed.name, feed.dtype, feed.bytes));
    }
    try {
      for (size_t i = 0; i < sources.size(); i++) call_->stage(i, sources[i]);
      const std::vector<TensorHandle> results = call_->run(metadata);
      for (uint32_t i = 0; i < outputs.Length(); i++) {
        const Fetch& fetch = call_->fetches()[i];
        const size_t bytes = TF_TensorByteSize(results[i].get());
        std::memcpy(checkedBytes(env, outputs[i], fetch.name, fetch.dtype, bytes), TF_TensorData(results[i].get()), bytes);
      }
    } catch (const TensorFlowError& error) {
      throw javascriptError(env, error);
    }
  }

  std::optional<Call> call_;
};

struct Constructors {
  Napi::FunctionReference call;
};

class Session : public Napi::ObjectWrap<Session> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Session",
                       {InstanceMethod<&Session::prepare>("prepare"), InstanceMethod<&Session::close>("close")});
  }

  // new Session(graphDef: Uint8Array, config: Uint8Array)
  explicit Session(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Session>(info) {
    const Napi::Env env = info.Env();
    for (size_t i = 0; i < 2; i++)
      if (!info[i].IsTypedArray() || info[i].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
        throw Napi::TypeError::New(env, "new Session(graphDef, config): both are Uint8Arrays");
    const auto graphDef = info[0].As<Napi::Uint8Array>();
    const auto config = info[1].As<Napi::Uint8Array>();
    try {
      graph_ = std::make_shared<Graph>(graphDef.Data(), graphDef.ByteLength(), config.Data(), config.ByteLength());
    } catch (const TensorFlowError& error) {
      throw javascriptError(env, error);
    }
  }

 private:
  Napi::Value prepare(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!graph_) throw Napi::Error::New(env, "the session is closed");
    const Napi::Object made = env.GetInstanceData<Constructors>()->call.New({});
    try {
      PreparedCall::Unwrap(made)->prepare(graph_, info);
    } catch (const TensorFlowError& error) {
      throw javascriptError(env, error);
    }
    return made;
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    graph_.reset();
    return info.Env().Undefined();
  }

  std::shared_ptr<Graph> graph_;
};

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto* constructors = new Constructors{Napi::Persistent(PreparedCall::define(env))};
  env.SetInstanceData(constructors);  // deleted with the environment
  exports.Set("Session", Session::define(env));
  exports.Set("tensorflowVersion", TF_Version());
  return exports;
}

}  // namespace
}  // namespace anchorage

static Napi::Object init(Napi::Env env, Napi::Object exports) { return anchorage::initialise(env, exports); }
NODE_API_MODULE(session, init)
