// Where a rank is in its program: blocks, loops, branches and host scalars, the
// part of the program table that is the same for every backend and for the
// simulator.
#ifndef SHOAL_RUNTIME_CURSOR_H
#define SHOAL_RUNTIME_CURSOR_H

#include "shoal/runtime/Program.h"

#include <vector>

namespace shoal::rt {

/// Use: while (const Instruction *i = cursor.fetch()) if (cursor.execute(*i) ==
/// Cursor::NotMine) … do it … . The table must outlive the cursor.
class Cursor {
public:
  enum Outcome {
    Done,     ///< it was a host scalar or control flow
    NotMine,  ///< it is for the backend
    ZeroStep, ///< a counted loop with step 0, which would not end
  };

  Cursor(const program::View &program, int64_t rank)
      : program(program), rank(rank),
        registers(program.header().numRegisters, 0) {}

  /// To the first instruction of the program. Registers keep their values.
  void restart();
  /// The next instruction, or null at the end of the program; loops go round.
  const program::Instruction *fetch();
  /// Makes fetch return the last instruction once more.
  void stepBack() { --frames.back().at; }
  Outcome execute(const program::Instruction &i);

  int64_t reg(int64_t number) const { return registers[number]; }
  void setReg(int64_t number, int64_t value) { registers[number] = value; }

private:
  struct Frame {
    enum class Kind { Plain, For, WhileCondition, WhileBody } kind;
    const program::Instruction *at, *end;
    std::span<const int64_t> operands; ///< of the loop or branch
    int64_t value = 0, last = 0, step = 0;
  };

  void enter(int64_t block, Frame::Kind kind,
             std::span<const int64_t> operands);
  /// The next turn of the loop whose block has ended, or back to the block
  /// around it. False at the end of the program.
  bool endOfBlock();
  bool scalar(const program::Instruction &i);

  program::View program;
  int64_t rank;
  std::vector<int64_t> registers;
  std::vector<Frame> frames;
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CURSOR_H
