// E environments stepped together, with same-step auto-reset, episode accounting and snapshots. Knows no JavaScript.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "environment.h"

namespace anchorage {

// Where a batch writes: arrays that JavaScript owns, [E] or [E, ...shape]; see EnvBatch in shared/environment.ts.
struct BatchArrays {
  uint8_t* observations;
  uint8_t* finalObservations;
  float* rewards;
  double* rawRewards;
  uint8_t* terminated;
  uint8_t* truncated;
  uint8_t* stackRefilled;
  uint8_t* episodeEnded;
  double* episodeReturns;
  int32_t* episodeLengths;
};

class Batch {
 public:
  // `identity`: id and options as text; a snapshot loads only into a batch of the same identity and size.
  // `maxEpisodeSteps`: agent steps of a raw episode until truncation; 0: none.
  Batch(EnvironmentShape shape, std::string identity, int32_t maxEpisodeSteps,
        std::vector<std::unique_ptr<Environment>> environments)
      : shape_(std::move(shape)),
        identity_(std::move(identity)),
        maxEpisodeSteps_(maxEpisodeSteps),
        environments_(std::move(environments)),
        episodes_(environments_.size()) {}

  const EnvironmentShape& shape() const { return shape_; }
  size_t size() const { return environments_.size(); }
  // Steps with StepResult::unstable since the batch was made; a count for people, not part of snapshots.
  uint64_t unstableSteps() const { return unstableSteps_; }

  Presentation presentation() const { return environments_[0]->presentation(); }

  Picture render(size_t e, int width, int height) const {
    if (!ready_)
      throw EngineError("ENVIRONMENT", "render() was called on a batch that has no state.", "Call reset(seeds) or load(bytes) first.");
    return environments_[e]->render(width, height);
  }

  void reset(const uint64_t* seeds, const BatchArrays& out) {
    ready_ = false;
    for (size_t e = 0; e < size(); ++e) {
      episodes_[e] = Episode{};
      episodes_[e].seed = seeds[e];
      begin(e, true);
      observe(e, out);
      clearOutcome(e, out);
    }
    ready_ = true;
  }

  // Checks every action first, so that a bad one leaves the batch as it was. `indices` [E] or `values` [E, A].
  void step(const int32_t* indices, const float* values, const BatchArrays& out) {
    if (!ready_)
      throw EngineError("ENVIRONMENT", "step() was called on a batch that has no state (not reset yet, or an earlier step failed).",
                        "Call reset(seeds) or load(bytes) first.");
    checkActions(indices, values);
    ready_ = false;  // until all have been stepped: half a batch must not go on
    const size_t actionSize = shape_.actionLow.size();
    for (size_t e = 0; e < size(); ++e) {
      Action action;
      if (indices != nullptr) action.index = indices[e];
      else action.values = values + e * actionSize;
      stepOne(e, action, out);
    }
    ready_ = true;
  }

  // Header: magic, version, CRC-32 and length of what follows the two; then identity, size and the environments.
  void save(Writer& to) const {
    if (!ready_)
      throw EngineError("ENVIRONMENT", "save() was called on a batch that has no state.", "Call reset(seeds) or load(bytes) first.");
    to.number<uint32_t>(kMagic);
    to.number<uint32_t>(kVersion);
    to.number<uint32_t>(0);
    to.number<uint64_t>(0);
    const size_t start = to.size();
    to.string(identity_);
    to.number<uint32_t>(static_cast<uint32_t>(size()));
    for (size_t e = 0; e < size(); ++e) {
      const Episode& episode = episodes_[e];
      to.number<uint64_t>(episode.seed);
      to.number<uint64_t>(episode.resets);
      to.number<double>(episode.rawReturn);
      to.number<int32_t>(episode.steps);
      to.flag(episode.stackRefilled);
      const size_t lengthAt = to.size();
      to.number<uint32_t>(0);
      environments_[e]->save(to);
      to.patch<uint32_t>(lengthAt, static_cast<uint32_t>(to.size() - lengthAt - sizeof(uint32_t)));
    }
    to.patch<uint32_t>(start - 12, crc32(to.content().data() + start, to.size() - start));
    to.patch<uint64_t>(start - 8, to.size() - start);
  }

  // Continues from `save`: environment e from the saved one sources[e], or from its own where `sources` is null. On any
  // error the batch, and what it wrote, are as they were.
  void load(const uint8_t* bytes, size_t length, const int32_t* sources, const BatchArrays& out) {
    Reader body = checkedBody(bytes, length);
    std::vector<Episode> saved(size());
    std::vector<Reader> sections;
    for (Episode& episode : saved) sections.push_back(readEpisode(body, episode));
    body.expectEnd();
    std::vector<Episode> episodes(size());
    Writer before;
    if (ready_) save(before);
    try {
      for (size_t e = 0; e < size(); ++e) {
        const size_t from = sources == nullptr ? e : static_cast<size_t>(sources[e]);
        if (from >= size())
          throw EngineError("SHAPE", "sources[" + std::to_string(e) + "] is " + std::to_string(sources[e]) + ".",
                            "Sources are 0 to " + std::to_string(size() - 1) + ", the snapshot's environments.");
        Reader section = sections[from];
        environments_[e]->load(section);
        section.expectEnd();
        episodes[e] = saved[from];
      }
    } catch (...) {
      if (ready_) restore(before);
      throw;
    }
    episodes_ = std::move(episodes);
    ready_ = true;
    for (size_t e = 0; e < size(); ++e) {
      observe(e, out);
      clearOutcome(e, out);
    }
  }

 private:
  struct Episode {
    uint64_t seed = 0;
    uint64_t resets = 0;  // reset k draws from EpisodeRandom(seed, k)
    double rawReturn = 0;
    int32_t steps = 0;  // agent steps of the raw episode
    bool stackRefilled = false;
  };

  static constexpr uint32_t kMagic = 0x53454e41;  // "ANES"
  static constexpr uint32_t kVersion = 1;
  static constexpr size_t kHeaderBytes = 20;

  void stepOne(size_t e, const Action& action, const BatchArrays& out) {
    Episode& episode = episodes_[e];
    const StepResult result = stepNamed(e, action);
    if (result.unstable) ++unstableSteps_;
    if (!std::isfinite(result.rawReward) || !std::isfinite(result.reward))
      throw EngineError("NUMERIC", "Environment " + std::to_string(e) + " gave a reward that is not a finite number.",
                        "Check the size of the actions; the simulation has become unstable.");
    episode.rawReturn += result.rawReward;
    episode.steps += 1;
    const bool limit = maxEpisodeSteps_ > 0 && episode.steps >= maxEpisodeSteps_;
    const bool terminated = result.terminated;
    const bool truncated = !terminated && (limit || result.truncated);
    out.rewards[e] = result.reward;
    out.rawRewards[e] = result.rawReward;
    out.terminated[e] = terminated;
    out.truncated[e] = truncated;
    out.episodeEnded[e] = 0;
    episode.stackRefilled = false;
    if (terminated || truncated) {
      environments_[e]->observe(out.finalObservations + e * shape_.observationBytes());
      const Episode old = episode;
      // A game can also end in a reset that was to go on with it (Atari's no-ops after a lost life): also an end.
      const bool ended = begin(e, result.episodeEnded || truncated || limit);
      out.episodeEnded[e] = ended;
      if (ended) {
        out.episodeReturns[e] = old.rawReturn;
        out.episodeLengths[e] = old.steps;
      }
    }
    out.stackRefilled[e] = episode.stackRefilled;
    observe(e, out, false);
  }

  // An error in the middle of a batch says which environment it was.
  StepResult stepNamed(size_t e, const Action& action) {
    try {
      return environments_[e]->step(action);
    } catch (const EngineError& error) {
      throw EngineError(error.code(), "Environment " + std::to_string(e) + ": " + error.what(), error.remedy());
    }
  }

  // Begins the next episode of environment e; true if a raw episode began.
  bool begin(size_t e, bool fresh) {
    Episode& episode = episodes_[e];
    EpisodeRandom random(episode.seed, episode.resets++);
    const ResetResult result = environments_[e]->reset(random, fresh);
    episode.stackRefilled = result.stackRefilled;
    if (result.newEpisode) {
      episode.rawReturn = 0;
      episode.steps = 0;
    }
    return result.newEpisode;
  }

  void observe(size_t e, const BatchArrays& out, bool withFlag = true) {
    environments_[e]->observe(out.observations + e * shape_.observationBytes());
    if (withFlag) out.stackRefilled[e] = episodes_[e].stackRefilled;
  }

  static void clearOutcome(size_t e, const BatchArrays& out) {
    out.rewards[e] = 0;
    out.rawRewards[e] = 0;
    out.terminated[e] = 0;
    out.truncated[e] = 0;
    out.episodeEnded[e] = 0;
  }

  void checkActions(const int32_t* indices, const float* values) const {
    if (indices != nullptr) {
      for (size_t e = 0; e < size(); ++e) {
        if (indices[e] < 0 || indices[e] >= shape_.discreteActions)
          throw EngineError("ENVIRONMENT",
                            "actions[" + std::to_string(e) + "] is " + std::to_string(indices[e]) + ".",
                            "Actions are 0 to " + std::to_string(shape_.discreteActions - 1) + ".");
      }
      return;
    }
    const size_t actionSize = shape_.actionLow.size();
    for (size_t i = 0; i < size() * actionSize; ++i) {
      if (!std::isfinite(values[i]))
        throw EngineError("NUMERIC",
                          "actions[" + std::to_string(i) + "] (environment " + std::to_string(i / actionSize) + ", dimension " +
                              std::to_string(i % actionSize) + ") is " + std::to_string(values[i]) + ".",
                          "Actions must be finite; the policy that gave it has diverged.");
    }
  }

  // Verifies all that can be verified without touching the environments, and gives the part about them.
  Reader checkedBody(const uint8_t* bytes, size_t length) const {
    Reader reader(bytes, length);
    if (length < kHeaderBytes || reader.number<uint32_t>() != kMagic) Reader::fail("it is not a snapshot of an EnvBatch");
    const auto version = reader.number<uint32_t>();
    const auto checksum = reader.number<uint32_t>();
    if (reader.number<uint64_t>() != reader.left()) Reader::fail("it is not as long as it says");
    if (crc32(bytes + kHeaderBytes, length - kHeaderBytes) != checksum) Reader::fail("its checksum is wrong");
    if (version != kVersion)
      throw EngineError("MISMATCH", "The environment snapshot has version " + std::to_string(version) + ", this build reads " +
                                        std::to_string(kVersion) + ".",
                        "Use the same build of Anchorage in every process.");
    const std::string identity = reader.string(1 << 16);
    if (identity != identity_)
      throw EngineError("MISMATCH", "The environment snapshot is of " + identity + ", this batch is " + identity_ + ".",
                        "Use the same environment and options in every process.");
    const auto count = reader.number<uint32_t>();
    if (count != size())
      throw EngineError("MISMATCH", "The environment snapshot holds " + std::to_string(count) + " environments, this batch has " +
                                        std::to_string(size()) + ".",
                        "Use the same envBatchSize in every process.");
    return reader;
  }

  static Reader readEpisode(Reader& body, Episode& episode) {
    episode.seed = body.number<uint64_t>();
    episode.resets = body.within<uint64_t>(1, uint64_t{1} << 53, "an episode counter");
    episode.rawReturn = body.number<double>();
    if (!std::isfinite(episode.rawReturn)) Reader::fail("a return is not a finite number");
    episode.steps = body.within<int32_t>(0, 0x7ffffffe, "an episode's length");
    episode.stackRefilled = body.flag();
    return body.section(body.number<uint32_t>());
  }

  void restore(const Writer& saved) {
    ready_ = false;  // should this fail, too, the batch must be reset
    Reader body = checkedBody(saved.content().data(), saved.size());
    Episode ignored;
    for (const auto& environment : environments_) {
      Reader section = readEpisode(body, ignored);
      environment->load(section);
    }
    ready_ = true;
  }

  EnvironmentShape shape_;
  std::string identity_;
  int32_t maxEpisodeSteps_;
  std::vector<std::unique_ptr<Environment>> environments_;
  std::vector<Episode> episodes_;
  uint64_t unstableSteps_ = 0;
  bool ready_ = false;
};

}  // namespace anchorage
