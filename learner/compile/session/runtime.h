// RAII over the parts of TensorFlow's C API that a prepared graph needs. No JavaScript here.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/c/c_api.h"

namespace anchorage {

// What TensorFlow answered; `code` is its TF_Code.
class TensorFlowError : public std::runtime_error {
 public:
  TensorFlowError(TF_Code code, const std::string& message) : std::runtime_error(message), code(code) {}
  const TF_Code code;
};

class Status {
 public:
  Status() : status_(TF_NewStatus()) {}
  ~Status() { TF_DeleteStatus(status_); }
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  TF_Status* get() { return status_; }
  void check(const std::string& what) const {
    const TF_Code code = TF_GetCode(status_);
    if (code != TF_OK) throw TensorFlowError(code, what + ": " + TF_Message(status_));
  }

 private:
  TF_Status* status_;
};

struct TensorDeleter {
  void operator()(TF_Tensor* tensor) const { TF_DeleteTensor(tensor); }
};
using TensorHandle = std::unique_ptr<TF_Tensor, TensorDeleter>;

struct BufferDeleter {
  void operator()(TF_Buffer* buffer) const { TF_DeleteBuffer(buffer); }
};
using BufferHandle = std::unique_ptr<TF_Buffer, BufferDeleter>;

// One graph and its session; variables live until it is destroyed.
class Graph {
 public:
  // Both are serialized protocol buffers: a GraphDef and a ConfigProto.
  Graph(const void* graphDef, size_t graphBytes, const void* config, size_t configBytes);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  TF_Graph* graph() const { return graph_; }
  TF_Session* session() const { return session_; }
  TF_Operation* operation(const std::string& name) const;
  // "name" or "name:index"
  TF_Output output(const std::string& name) const;

 private:
  TF_Graph* graph_ = nullptr;
  TF_Session* session_ = nullptr;
};

// A tensor that is fed: fully defined shape, from the graph.
struct Feed {
  std::string name;
  TF_Output output;
  TF_DataType dtype;
  std::vector<int64_t> shape;
  size_t bytes;
  TensorHandle staged;  // the input's copy in TensorFlow's aligned memory, used again from run to run
};

struct Fetch {
  std::string name;
  TF_Output output;
  TF_DataType dtype;
};

// A fixed set of feeds, fetches and operations to run.
class Call {
 public:
  // Does not keep the graph alive: a call on a graph that is gone fails.
  Call(const std::shared_ptr<Graph>& graph, const std::vector<std::string>& feeds,
       const std::vector<std::string>& fetches, const std::vector<std::string>& targets);

  const std::vector<Feed>& feeds() const { return feeds_; }
  const std::vector<Fetch>& fetches() const { return fetches_; }

  // Copies `source` (of the feed's size) to where `run` takes it from.
  void stage(size_t feed, const void* source);
  // Runs on what was staged; gives the fetched tensors. With `metadata`: records a RunMetadata with the time of every operation.
  std::vector<TensorHandle> run(TF_Buffer* metadata);

 private:
  std::weak_ptr<Graph> graph_;
  std::vector<Feed> feeds_;
  std::vector<Fetch> fetches_;
  std::vector<TF_Operation*> targets_;
};

}  // namespace anchorage
