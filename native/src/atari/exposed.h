// Private members of ALE that a whole snapshot needs and ALE's own serialization leaves out (the TIA's mask pointers and
// frame buffers, some games' counters), and the switch for frames that need not be drawn. Explicit instantiations may
// name private members: this is plain C++, no header is changed.
#pragma once

#include "ale/ale_interface.hpp"
#include "ale/emucore/CartDPC.hxx"
#include "ale/emucore/Console.hxx"
#include "ale/emucore/Device.hxx"
#include "ale/emucore/OSystem.hxx"
#include "ale/emucore/System.hxx"
#include "ale/emucore/TIA.hxx"
#include "ale/games/supported/Atlantis2.hpp"
#include "ale/games/supported/ChopperCommand.hpp"
#include "ale/games/supported/DemonAttack.hpp"
#include "ale/games/supported/MiniatureGolf.hpp"
#include "ale/games/supported/RiverRaid.hpp"
#include "ale/games/supported/VideoCheckers.hpp"

namespace anchorage::atari {

template <class Tag, auto Member>
struct Expose {
  friend auto exposed(Tag) { return Member; }
};

#define ANCHORAGE_EXPOSE(Tag, ...) \
  struct Tag {                     \
    friend auto exposed(Tag);      \
  };                               \
  template struct Expose<Tag, __VA_ARGS__>;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-template-friend"
ANCHORAGE_EXPOSE(SystemDevices, &ale::stella::System::myDevices)
ANCHORAGE_EXPOSE(SystemDeviceCount, &ale::stella::System::myNumberOfDevices)
ANCHORAGE_EXPOSE(SystemCycles, &ale::stella::System::myCycles)
ANCHORAGE_EXPOSE(SystemDataBus, &ale::stella::System::myDataBusState)
ANCHORAGE_EXPOSE(DpcFraction, &ale::stella::CartridgeDPC::myFractionalClocks)
ANCHORAGE_EXPOSE(StatePaddleLeft, &ale::ALEState::m_left_paddle)
ANCHORAGE_EXPOSE(StatePaddleRight, &ale::ALEState::m_right_paddle)

ANCHORAGE_EXPOSE(TiaFast, &ale::stella::TIA::fastUpdate)
ANCHORAGE_EXPOSE(TiaPartial, &ale::stella::TIA::myPartialFrameFlag)
ANCHORAGE_EXPOSE(TiaGreyed, &ale::stella::TIA::myFrameGreyed)
ANCHORAGE_EXPOSE(TiaHeight, &ale::stella::TIA::myHeight)
ANCHORAGE_EXPOSE(TiaCurrentBuffer, &ale::stella::TIA::myCurrentFrameBuffer)
ANCHORAGE_EXPOSE(TiaPreviousBuffer, &ale::stella::TIA::myPreviousFrameBuffer)
ANCHORAGE_EXPOSE(TiaFramePointer, &ale::stella::TIA::myFramePointer)
ANCHORAGE_EXPOSE(TiaStartOffset, &ale::stella::TIA::myStartDisplayOffset)
ANCHORAGE_EXPOSE(TiaStopOffset, &ale::stella::TIA::myStopDisplayOffset)
ANCHORAGE_EXPOSE(TiaFrameStart, &ale::stella::TIA::myClockWhenFrameStarted)
ANCHORAGE_EXPOSE(TiaDisplayStart, &ale::stella::TIA::myClockStartDisplay)
ANCHORAGE_EXPOSE(TiaDisplayStop, &ale::stella::TIA::myClockStopDisplay)
ANCHORAGE_EXPOSE(TiaLastUpdate, &ale::stella::TIA::myClockAtLastUpdate)
ANCHORAGE_EXPOSE(TiaToLineEnd, &ale::stella::TIA::myClocksToEndOfScanLine)
ANCHORAGE_EXPOSE(TiaBallMask, &ale::stella::TIA::myCurrentBLMask)
ANCHORAGE_EXPOSE(TiaMissile0Mask, &ale::stella::TIA::myCurrentM0Mask)
ANCHORAGE_EXPOSE(TiaMissile1Mask, &ale::stella::TIA::myCurrentM1Mask)
ANCHORAGE_EXPOSE(TiaPlayer0Mask, &ale::stella::TIA::myCurrentP0Mask)
ANCHORAGE_EXPOSE(TiaPlayer1Mask, &ale::stella::TIA::myCurrentP1Mask)
ANCHORAGE_EXPOSE(TiaPlayfieldMask, &ale::stella::TIA::myCurrentPFMask)
ANCHORAGE_EXPOSE(TiaBallTable, &ale::stella::TIA::ourBallMaskTable)
ANCHORAGE_EXPOSE(TiaMissileTable, &ale::stella::TIA::ourMissleMaskTable)
ANCHORAGE_EXPOSE(TiaPlayerTable, &ale::stella::TIA::ourPlayerMaskTable)
ANCHORAGE_EXPOSE(TiaPlayfieldTable, &ale::stella::TIA::ourPlayfieldTable)
ANCHORAGE_EXPOSE(TiaDisabledTable, &ale::stella::TIA::ourDisabledMaskTable)

ANCHORAGE_EXPOSE(Atlantis2Lives, &ale::Atlantis2Settings::m_lives)
ANCHORAGE_EXPOSE(ChopperStarted, &ale::ChopperCommandSettings::m_is_started)
ANCHORAGE_EXPOSE(DemonLevelChange, &ale::DemonAttackSettings::m_level_change)
ANCHORAGE_EXPOSE(RiverLives, &ale::RiverRaidSettings::m_lives)
ANCHORAGE_EXPOSE(CheckersReversed, &ale::VideoCheckersSettings::m_reverse_checkers)
ANCHORAGE_EXPOSE(GolfLevel, &ale::MiniatureGolfSettings::m_levelNumber)
ANCHORAGE_EXPOSE(GolfPar, &ale::MiniatureGolfSettings::m_levelPar)
ANCHORAGE_EXPOSE(GolfHits, &ale::MiniatureGolfSettings::m_hits)
ANCHORAGE_EXPOSE(GolfLeft, &ale::MiniatureGolfSettings::m_leftStatus)
ANCHORAGE_EXPOSE(GolfHitsAtStart, &ale::MiniatureGolfSettings::m_hitsAtStartOfLevel)
#pragma GCC diagnostic pop

}  // namespace anchorage::atari
