// Snapshot bytes: a Writer that appends, a Reader that never reads past its end and throws CORRUPT instead. Numbers are
// little-endian (as is every machine that the addons are built for). Snapshots come from the network: whatever a Reader
// gives is hostile until checked, also behind a right checksum.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "error.h"

namespace anchorage {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "snapshots are little-endian");

constexpr std::array<uint32_t, 256> makeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1u) ? 0xedb88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

// CRC-32 (IEEE 802.3, as zlib's). It finds damage, not malice.
inline uint32_t crc32(const uint8_t* bytes, size_t length) {
  static constexpr std::array<uint32_t, 256> table = makeCrcTable();
  uint32_t c = 0xffffffffu;
  for (size_t i = 0; i < length; ++i) c = table[(c ^ bytes[i]) & 0xffu] ^ (c >> 8);
  return c ^ 0xffffffffu;
}

class Writer {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_arithmetic_v<T>, "numbers only");
    bytes(&value, sizeof value);
  }
  void flag(bool value) { number<uint8_t>(value ? 1 : 0); }
  void bytes(const void* data, size_t length) {
    const size_t at = out_.size();
    out_.resize(at + length);
    if (length > 0) std::memcpy(out_.data() + at, data, length);
  }
  // Length (uint32) and content.
  void string(const std::string& text) {
    number<uint32_t>(static_cast<uint32_t>(text.size()));
    bytes(text.data(), text.size());
  }

  size_t size() const { return out_.size(); }
  const std::vector<uint8_t>& content() const { return out_; }
  // Overwrites a number written earlier at `at` (a length or checksum known only later).
  template <class T>
  void patch(size_t at, T value) {
    std::memcpy(out_.data() + at, &value, sizeof value);
  }
  void clear() { out_.clear(); }

 private:
  std::vector<uint8_t> out_;
};

class Reader {
 public:
  Reader(const uint8_t* data, size_t length) : data_(data), left_(length) {}

  template <class T>
  T number() {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>, "numbers only; see flag()");
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }
  bool flag() {
    const auto value = number<uint8_t>();
    if (value > 1) fail("a flag is neither 0 nor 1");
    return value == 1;
  }
  // A number that must lie in low..high.
  template <class T>
  T within(T low, T high, const char* what) {
    const T value = number<T>();
    if (!(value >= low && value <= high)) fail(std::string(what) + " is out of range");
    return value;
  }
  void bytes(void* to, size_t length) {
    const uint8_t* from = take(length);
    if (length > 0) std::memcpy(to, from, length);
  }
  std::string string(size_t longest) {
    const auto length = number<uint32_t>();
    if (length > longest) fail("a text is longer than allowed");
    return std::string(reinterpret_cast<const char*>(take(length)), length);
  }
  // The next `length` bytes, in place and valid as long as the snapshot is.
  const uint8_t* take(size_t length) {
    if (length > left_) fail("it ends too early");
    const uint8_t* at = data_;
    data_ += length;
    left_ -= length;
    return at;
  }
  // A reader of the next `length` bytes alone.
  Reader section(size_t length) { return Reader(take(length), length); }
  size_t left() const { return left_; }
  void expectEnd() const {
    if (left_ != 0) fail("it has bytes left over");
  }

  [[noreturn]] static void fail(const std::string& why) {
    throw EngineError("CORRUPT", "The environment snapshot cannot be used: " + why + ".",
                      "Load the bytes that save() gave, unchanged.");
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

}  // namespace anchorage
