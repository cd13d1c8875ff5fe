#include "deviceLayout.h"

#include <cstring>
#include <stdexcept>

namespace anchorage::atari {
namespace {

// Serializer::putBool's words.
constexpr uint32_t kTrue = 0xfab1fab2;
constexpr uint32_t kFalse = 0xbad1bad2;

uint32_t wordAt(const std::string& stream, size_t at) {
  uint32_t word;
  std::memcpy(&word, stream.data() + at, sizeof word);
  return word;
}

void setWord(std::string& stream, size_t at, uint32_t word) { std::memcpy(stream.data() + at, &word, sizeof word); }

[[noreturn]] void unexpected(const char* what) {
  throw std::logic_error(std::string("ALE's state is not laid out as in 0.12.1: ") + what);
}

}  // namespace

template <class Number, class Truth, class Fixed>
void DeviceLayout::walk(Number number, Truth truth, Fixed fixedPart) const {
  size_t at = 0;
  for (const Field& field : fields_) {
    for (uint32_t i = 0; i < field.count; ++i) {
      if (at + sizeof(uint32_t) > stream_.size()) unexpected("too short");
      size_t length = sizeof(uint32_t);
      if (field.kind == Field::kText) {
        length += wordAt(stream_, at);
        if (length > stream_.size() - at) unexpected("a text");
      }
      if (field.kind == Field::kNumber) number(at, field.largest);
      else if (field.kind == Field::kTruth) truth(at);
      else fixedPart(at, length);
      at += length;
    }
  }
  if (at != stream_.size()) unexpected("too long");
}

DeviceLayout::DeviceLayout(std::string stream, std::vector<Field> fields) : stream_(std::move(stream)), fields_(std::move(fields)) {
  Writer ignored;
  pack(stream_, ignored);
}

void DeviceLayout::pack(const std::string& stream, Writer& to) const {
  if (stream.size() != stream_.size()) unexpected("another length");
  walk(
      [&](size_t at, uint32_t largest) {
        const uint32_t value = wordAt(stream, at);
        if (value > largest) unexpected("a number");
        if (largest <= 0xff) to.number<uint8_t>(static_cast<uint8_t>(value));
        else if (largest <= 0xffff) to.number<uint16_t>(static_cast<uint16_t>(value));
        else to.number<uint32_t>(value);
      },
      [&](size_t at) {
        const uint32_t value = wordAt(stream, at);
        if (value != kTrue && value != kFalse) unexpected("a truth value");
        to.flag(value == kTrue);
      },
      [&](size_t at, size_t length) {
        if (stream.compare(at, length, stream_, at, length) != 0) unexpected("a fixed part");
      });
}

std::string DeviceLayout::unpack(Reader& from) const {
  std::string stream = stream_;
  walk(
      [&](size_t at, uint32_t largest) {
        const uint32_t value = largest <= 0xff     ? from.number<uint8_t>()
                               : largest <= 0xffff ? from.number<uint16_t>()
                                                   : from.number<uint32_t>();
        if (value > largest) Reader::fail("a register is out of range");
        setWord(stream, at, value);
      },
      [&](size_t at) { setWord(stream, at, from.flag() ? kTrue : kFalse); }, [](size_t, size_t) {});
  return stream;
}

namespace {

std::vector<Field> tiaFields() {
  return {text(),
          number(kAnyWord, 8),                                  // clocks, scan lines: checked by Emulator::load
          number(0xff),                                         // enabled objects
          number(0xff, 4),                                      // VSYNC VBLANK NUSIZ0 NUSIZ1
          number(kAnyWord, 4),                                  // colours
          number(0xff, 2),                                      // CTRLPF, priority and score
          truth(2), number(0xfffff), number(0xff, 4), truth(4),  // REFP, PF, graphics, enables
          number(15, 5),                                        // horizontal motion: rows of a table
          truth(5), number(0xffff),                             // vertical delay, RESMP, collisions
          number(159, 5),                                       // positions: columns of tables
          number(0xff, 2), number(kAnyWord), truth(2), number(3), truth(), number(kAnyWord),
          text(), number(0xff, 6), number(kAnyWord)};           // sound
}

std::vector<Field> fieldsOf(const std::string& name) {
  if (name == "M6502Low") return {text(), number(0xff, 5), number(0xffff), truth(7), number(0xff)};
  if (name == "M6532")
    return {text(), fixed(), number(0xff, 128), number(0xff), number(10), number(kAnyWord, 2), truth(), number(0xff, 2)};
  if (name == "TIA") return tiaFields();
  if (name == "Cartridge2K" || name == "Cartridge4K" || name == "CartridgeFE") return {text()};
  if (name == "CartridgeF8") return {text(), number(1)};
  if (name == "CartridgeF6") return {text(), number(3)};
  if (name == "CartridgeF8SC") return {text(), number(1), fixed(), number(0xff, 128)};
  if (name == "CartridgeF6SC") return {text(), number(3), fixed(), number(0xff, 128)};
  if (name == "CartridgeE0") return {text(), fixed(), number(7, 4)};
  if (name == "CartridgeDPC")
    return {text(),  number(1),          fixed(), number(0xff, 8), fixed(),      number(0xff, 8), fixed(), number(0x7ff, 8),
            fixed(), number(0xff, 8), fixed(), truth(3),        number(0xff), number(kAnyWord, 2)};
  throw std::logic_error("ALE's device " + name + " is not known to the snapshots");
}

}  // namespace

DeviceLayout layoutOf(const std::string& deviceName, const std::string& stream) { return {stream, fieldsOf(deviceName)}; }

DeviceLayout wordsLayout(const std::string& stream) {
  return {stream, {number(kAnyWord, static_cast<uint32_t>(stream.size() / sizeof(uint32_t)))}};
}

}  // namespace anchorage::atari
