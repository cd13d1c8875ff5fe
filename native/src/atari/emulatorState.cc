// The emulator's snapshots: see exposed.h and deviceLayout.h.
#include <cstring>

#include "ale/emucore/Deserializer.hxx"
#include "ale/emucore/M6502.hxx"
#include "ale/emucore/Serializer.hxx"
#include "emulator.h"
#include "exposed.h"
#include "runLength.h"

namespace anchorage::atari {
namespace {

using ale::stella::Deserializer;
using ale::stella::Serializer;
using ale::stella::TIA;

constexpr int32_t kClocksPerLine = 228;
constexpr int32_t kBlankClocks = 68;  // of a line, before its 160 pixels
constexpr uint32_t kMostCycles = 1u << 28;

// Loads an unpacked stream; ALE reports damage in either of two ways.
template <class Load>
void loadStream(const std::string& stream, Load load) {
  Deserializer from(stream);
  bool loaded = false;
  try {
    loaded = load(from);
  } catch (const char*) {
    loaded = false;
  }
  if (!loaded) Reader::fail("the console does not take it");
}

// A mask pointer points into one of the TIA's tables, whose rows of 320 it may address from columns 0 to 160.
constexpr uint32_t kMaskRow = 320;
constexpr uint32_t kLastMaskColumn = 160;
constexpr uint32_t kDisabledMask = 0xffffffffu;

template <class Table>
void saveMask(const uint8_t* mask, const Table& table, Writer& to) {
  const uint8_t* disabled = *exposed(TiaDisabledTable{});
  to.number<uint32_t>(mask == disabled ? kDisabledMask : static_cast<uint32_t>(mask - reinterpret_cast<const uint8_t*>(&table)));
}

template <class Table>
const uint8_t* loadMask(const Table& table, Reader& from) {
  const auto offset = from.number<uint32_t>();
  if (offset == kDisabledMask) return *exposed(TiaDisabledTable{});
  if (offset >= sizeof table || offset % kMaskRow > kLastMaskColumn) Reader::fail("a display register is out of range");
  return reinterpret_cast<const uint8_t*>(&table) + offset;
}

}  // namespace

void Emulator::save(Writer& to) const {
  auto& system = console_->console().system();
  to.number<uint32_t>(system.*exposed(SystemCycles{}));
  to.number<uint8_t>(system.*exposed(SystemDataBus{}));
  to.number<int32_t>(*controls_.*exposed(StatePaddleLeft{}));
  to.number<int32_t>(*controls_.*exposed(StatePaddleRight{}));
  Serializer processor;
  system.m6502().save(processor);
  processorLayout_.pack(processor.get_str(), to);
  for (size_t i = 0; i < devices_.size(); ++i) {
    Serializer device;
    devices_[i]->save(device);
    deviceLayouts_[i].pack(device.get_str(), to);
  }
  // ALE rounds this one
  if (const auto* dpc = dynamic_cast<ale::stella::CartridgeDPC*>(devices_.back())) to.number<double>(dpc->*exposed(DpcFraction{}));
  Serializer game;
  game_->saveState(game);
  gameLayout_.pack(game.get_str(), to);
  for (const int* counter : extraCounters()) to.number<int32_t>(*counter);
  for (const bool* flag : extraFlags()) to.flag(*flag);
  saveDisplay(to);
}

void Emulator::load(Reader& from) {
  auto& system = console_->console().system();
  system.*exposed(SystemCycles{}) = from.within<uint32_t>(0, kMostCycles, "the cycle counter");
  system.*exposed(SystemDataBus{}) = from.number<uint8_t>();
  *controls_.*exposed(StatePaddleLeft{}) = from.number<int32_t>();
  *controls_.*exposed(StatePaddleRight{}) = from.number<int32_t>();
  loadStream(processorLayout_.unpack(from), [&](Deserializer& stream) { return system.m6502().load(stream); });
  std::string cartridge;
  for (size_t i = 0; i < devices_.size(); ++i) {
    cartridge = deviceLayouts_[i].unpack(from);
    loadStream(cartridge, [&](Deserializer& stream) { return devices_[i]->load(stream); });
  }
  if (std::strcmp(devices_.back()->name(), "CartridgeE0") == 0) {
    // ALE restores which slices are mapped, but does not map them; reading a hot spot does
    const auto slice = [&](size_t i) { return static_cast<uint16_t>(cartridge[cartridge.size() - 16 + 4 * i] & 7); };
    for (uint16_t segment = 0; segment < 3; ++segment) devices_.back()->peek(0x0fe0 + 8 * segment + slice(segment));
  }
  if (auto* dpc = dynamic_cast<ale::stella::CartridgeDPC*>(devices_.back()))
    dpc->*exposed(DpcFraction{}) = from.within<double>(-1, 1, "a fraction of a clock");
  loadStream(gameLayout_.unpack(from), [&](Deserializer& stream) {
    game_->loadState(stream);
    return true;
  });
  for (int* counter : extraCounters()) *counter = from.number<int32_t>();
  for (bool* flag : extraFlags()) *flag = from.flag();
  loadDisplay(from);
}

void Emulator::saveDisplay(Writer& to) const {
  to.flag(tia_->*exposed(TiaPartial{}));
  to.flag(tia_->*exposed(TiaGreyed{}));
  saveMask(tia_->*exposed(TiaBallMask{}), *exposed(TiaBallTable{}), to);
  saveMask(tia_->*exposed(TiaMissile0Mask{}), *exposed(TiaMissileTable{}), to);
  saveMask(tia_->*exposed(TiaMissile1Mask{}), *exposed(TiaMissileTable{}), to);
  saveMask(tia_->*exposed(TiaPlayer0Mask{}), *exposed(TiaPlayerTable{}), to);
  saveMask(tia_->*exposed(TiaPlayer1Mask{}), *exposed(TiaPlayerTable{}), to);
  to.flag(tia_->*exposed(TiaPlayfieldMask{}) == (*exposed(TiaPlayfieldTable{}))[1]);
  // both buffers: a frame that ends early leaves the rest of the older picture standing
  const size_t length = tia_->*exposed(TiaHeight{}) * kScreenWidth;
  for (const uint8_t* buffer : {tia_->*exposed(TiaCurrentBuffer{}), tia_->*exposed(TiaPreviousBuffer{})})
    packPicture(buffer, length, RowAbove{buffer, kScreenWidth}, to);
}

void Emulator::loadDisplay(Reader& from) {
  tia_->*exposed(TiaPartial{}) = from.flag();
  tia_->*exposed(TiaGreyed{}) = from.flag();
  tia_->*exposed(TiaBallMask{}) = loadMask(*exposed(TiaBallTable{}), from);
  tia_->*exposed(TiaMissile0Mask{}) = loadMask(*exposed(TiaMissileTable{}), from);
  tia_->*exposed(TiaMissile1Mask{}) = loadMask(*exposed(TiaMissileTable{}), from);
  tia_->*exposed(TiaPlayer0Mask{}) = loadMask(*exposed(TiaPlayerTable{}), from);
  tia_->*exposed(TiaPlayer1Mask{}) = loadMask(*exposed(TiaPlayerTable{}), from);
  tia_->*exposed(TiaPlayfieldMask{}) = (*exposed(TiaPlayfieldTable{}))[from.flag() ? 1 : 0];
  const size_t length = tia_->*exposed(TiaHeight{}) * kScreenWidth;
  for (uint8_t* buffer : {tia_->*exposed(TiaCurrentBuffer{}), tia_->*exposed(TiaPreviousBuffer{})})
    unpackPicture(buffer, length, RowAbove{buffer, kScreenWidth}, from);
  placeBeam();
}

// Where the next pixel is drawn follows from the clocks. They matter only in an unfinished frame: any other begins by
// setting them. A wrong one would draw outside the buffer.
void Emulator::placeBeam() {
  const int32_t began = tia_->*exposed(TiaFrameStart{});
  const int32_t start = began + static_cast<int32_t>(tia_->*exposed(TiaStartOffset{}));
  const int32_t stop = began + static_cast<int32_t>(tia_->*exposed(TiaStopOffset{}));
  const int32_t at = tia_->*exposed(TiaLastUpdate{});
  tia_->*exposed(TiaFramePointer{}) = tia_->*exposed(TiaCurrentBuffer{});
  if (began < -kClocksPerLine || began > static_cast<int32_t>(kMostCycles)) Reader::fail("a clock is out of range");
  if (!(tia_->*exposed(TiaPartial{}))) return;
  if (began > 0 || tia_->*exposed(TiaDisplayStart{}) != start || tia_->*exposed(TiaDisplayStop{}) != stop || at < start || at > stop)
    Reader::fail("a clock is out of range");
  const int32_t inLine = (at - start) % kClocksPerLine;
  const int32_t pixel = inLine > kBlankClocks ? inLine - kBlankClocks : 0;
  tia_->*exposed(TiaFramePointer{}) += (at - start) / kClocksPerLine * kScreenWidth + pixel;
  tia_->*exposed(TiaToLineEnd{}) = kClocksPerLine - inLine;
}

// What some games' own serialization leaves out or writes as a truth value.
std::vector<int*> Emulator::extraCounters() const {
  ale::RomSettings* game = game_.get();
  if (auto* atlantis = dynamic_cast<ale::Atlantis2Settings*>(game)) return {&(atlantis->*exposed(Atlantis2Lives{}))};
  if (auto* river = dynamic_cast<ale::RiverRaidSettings*>(game)) return {&(river->*exposed(RiverLives{}))};
  if (auto* golf = dynamic_cast<ale::MiniatureGolfSettings*>(game))
    return {&(golf->*exposed(GolfLevel{})), &(golf->*exposed(GolfPar{})), &(golf->*exposed(GolfHits{})),
            &(golf->*exposed(GolfLeft{})), &(golf->*exposed(GolfHitsAtStart{}))};
  return {};
}

std::vector<bool*> Emulator::extraFlags() const {
  ale::RomSettings* game = game_.get();
  if (auto* chopper = dynamic_cast<ale::ChopperCommandSettings*>(game)) return {&(chopper->*exposed(ChopperStarted{}))};
  if (auto* demon = dynamic_cast<ale::DemonAttackSettings*>(game)) return {&(demon->*exposed(DemonLevelChange{}))};
  if (auto* checkers = dynamic_cast<ale::VideoCheckersSettings*>(game)) return {&(checkers->*exposed(CheckersReversed{}))};
  return {};
}

}  // namespace anchorage::atari
