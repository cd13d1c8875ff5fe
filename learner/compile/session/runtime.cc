#include "runtime.h"

#include <cstring>

namespace anchorage {

namespace {
// RunOptions { trace_level: FULL_TRACE }
constexpr unsigned char kFullTrace[] = {0x08, 0x03};
}  // namespace

Graph::Graph(const void* graphDef, size_t graphBytes, const void* config, size_t configBytes) {
  Status status;
  struct Parts {  // freed here unless the constructor completes
    TF_Graph* graph = TF_NewGraph();
    TF_ImportGraphDefOptions* import = TF_NewImportGraphDefOptions();
    TF_SessionOptions* options = TF_NewSessionOptions();
    ~Parts() {
      if (graph) TF_DeleteGraph(graph);
      TF_DeleteImportGraphDefOptions(import);
      TF_DeleteSessionOptions(options);
    }
  } parts;
  const BufferHandle definition(TF_NewBufferFromString(graphDef, graphBytes));
  TF_GraphImportGraphDef(parts.graph, definition.get(), parts.import, status.get());
  status.check("the graph was refused");
  TF_SetConfig(parts.options, config, configBytes, status.get());
  status.check("the session's config was refused");
  session_ = TF_NewSession(parts.graph, parts.options, status.get());
  status.check("no session could be made");
  graph_ = std::exchange(parts.graph, nullptr);
}

Graph::~Graph() {
  Status status;  // a destructor cannot report; closing only fails for a session that is closed already
  TF_CloseSession(session_, status.get());
  TF_DeleteSession(session_, status.get());
  TF_DeleteGraph(graph_);
}

TF_Operation* Graph::operation(const std::string& name) const {
  TF_Operation* found = TF_GraphOperationByName(graph_, name.c_str());
  if (!found) throw TensorFlowError(TF_NOT_FOUND, "the graph has no operation " + name);
  return found;
}

TF_Output Graph::output(const std::string& name) const {
  const size_t colon = name.find(':');
  const int index = colon == std::string::npos ? 0 : std::stoi(name.substr(colon + 1));
  TF_Operation* found = operation(name.substr(0, colon));
  if (index < 0 || index >= TF_OperationNumOutputs(found))
    throw TensorFlowError(TF_NOT_FOUND, "the graph has no tensor " + name);
  return {found, index};
}

Call::Call(const std::shared_ptr<Graph>& graph, const std::vector<std::string>& feeds,
           const std::vector<std::string>& fetches, const std::vector<std::string>& targets)
    : graph_(graph) {
  Status status;
  for (const std::string& name : feeds) {
    Feed feed{name, graph->output(name), TF_FLOAT, {}, 0, nullptr};
    feed.dtype = TF_OperationOutputType(feed.output);
    const int rank = TF_GraphGetTensorNumDims(graph->graph(), feed.output, status.get());
    status.check(name);
    if (rank < 0) throw TensorFlowError(TF_INVALID_ARGUMENT, "the feed " + name + " has no shape");
    feed.shape.resize(rank);
    if (rank > 0) TF_GraphGetTensorShape(graph->graph(), feed.output, feed.shape.data(), rank, status.get());
    status.check(name);
    feed.bytes = TF_DataTypeSize(feed.dtype);
    for (const int64_t extent : feed.shape) {
      if (extent < 0) throw TensorFlowError(TF_INVALID_ARGUMENT, "the feed " + name + " has no fixed shape");
      feed.bytes *= static_cast<size_t>(extent);
    }
    feeds_.push_back(std::move(feed));
  }
  for (const std::string& name : fetches) {
    const TF_Output output = graph->output(name);
    fetches_.push_back({name, output, TF_OperationOutputType(output)});
  }
  for (const std::string& name : targets) targets_.push_back(graph->operation(name));
}

void Call::stage(size_t index, const void* source) {
  Feed& feed = feeds_[index];
  if (!feed.staged)
    feed.staged.reset(TF_AllocateTensor(feed.dtype, feed.shape.data(), static_cast<int>(feed.shape.size()), feed.bytes));
  if (!feed.staged) throw TensorFlowError(TF_RESOURCE_EXHAUSTED, "no memory for the feed " + feed.name);
  std::memcpy(TF_TensorData(feed.staged.get()), source, feed.bytes);
}

std::vector<TensorHandle> Call::run(TF_Buffer* metadata) {
  const std::shared_ptr<Graph> graph = graph_.lock();
  if (!graph) throw TensorFlowError(TF_FAILED_PRECONDITION, "the session is closed");
  std::vector<TF_Output> inputs, outputs;
  std::vector<TF_Tensor*> given, got(fetches_.size(), nullptr);
  for (const Feed& feed : feeds_) {
    inputs.push_back(feed.output);
    given.push_back(feed.staged.get());
  }
  for (const Fetch& fetch : fetches_) outputs.push_back(fetch.output);
  const BufferHandle options(metadata ? TF_NewBufferFromString(kFullTrace, sizeof kFullTrace) : nullptr);
  Status status;
  TF_SessionRun(graph->session(), options.get(), inputs.data(), given.data(), static_cast<int>(given.size()),
                outputs.data(), got.data(), static_cast<int>(got.size()), targets_.data(),
                static_cast<int>(targets_.size()), metadata, status.get());
  std::vector<TensorHandle> results;
  for (TF_Tensor* tensor : got) results.emplace_back(tensor);
  // A variable that was assigned a fed tensor shares its memory from then on: such a tensor is not written again.
  for (Feed& feed : feeds_) {
    TF_Tensor* sole = TF_TensorMaybeMove(feed.staged.get());
    if (!sole) {
      feed.staged.reset();
    } else if (sole != feed.staged.get()) {
      feed.staged.release();
      feed.staged.reset(sole);
    }
  }
  status.check("the graph failed");
  return results;
}

}  // namespace anchorage
