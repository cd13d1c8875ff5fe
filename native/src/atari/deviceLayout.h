// ALE serializes a device as a stream of texts and 4-byte words, and reads it back without a look at the values: a
// count or bank number in it decides where memory is written. A DeviceLayout knows what each word may be. `pack` stores
// only the words that vary, in as few bytes as they need; `unpack` checks each against its range and puts names and
// counts back from a stream of ALE's own, so that no byte of a snapshot can lead ALE astray.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../engine/snapshot.h"

namespace anchorage::atari {

struct Field {
  enum Kind { kText, kFixed, kNumber, kTruth };
  Kind kind;
  uint32_t count = 1;
  uint32_t largest = 0xffffffffu;  // of a number; all 32 bits may be a negative one
};

inline Field text() { return {Field::kText}; }
inline Field fixed() { return {Field::kFixed}; }
inline Field number(uint32_t largest, uint32_t count = 1) { return {Field::kNumber, count, largest}; }
inline Field truth(uint32_t count = 1) { return {Field::kTruth, count}; }
constexpr uint32_t kAnyWord = 0xffffffffu;

class DeviceLayout {
 public:
  DeviceLayout() = default;
  // `stream`: one that ALE has written. Throws if it has not that layout.
  DeviceLayout(std::string stream, std::vector<Field> fields);
  void pack(const std::string& stream, Writer& to) const;
  std::string unpack(Reader& from) const;

 private:
  // Calls number(at, largest) and truth(at) for each varying word, fixedPart(at, length) for the rest.
  template <class Number, class Truth, class Fixed>
  void walk(Number number, Truth truth, Fixed fixedPart) const;

  std::string stream_;
  std::vector<Field> fields_;
};

// The layouts of the devices by ALE's name of them; throws for one that is not known.
DeviceLayout layoutOf(const std::string& deviceName, const std::string& stream);
// Any stream of words only (a game's own state).
DeviceLayout wordsLayout(const std::string& stream);

}  // namespace anchorage::atari
