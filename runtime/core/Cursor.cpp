#include "shoal/runtime/Cursor.h"

#include <algorithm>
#include <limits>

namespace shoal::rt {

using program::Instruction;
using program::Opcode;

void Cursor::restart() {
  frames.clear();
  enter(program.header().mainBlock, Frame::Kind::Plain, {});
}

void Cursor::enter(int64_t block, Frame::Kind kind,
                   std::span<const int64_t> operands) {
  std::span<const Instruction> body =
      program.instructions(static_cast<uint32_t>(block));
  Frame frame{kind, body.data(), body.data() + body.size(), operands};
  frames.push_back(frame);
}

const Instruction *Cursor::fetch() {
  while (!frames.empty() && frames.back().at == frames.back().end)
    if (!endOfBlock())
      return nullptr;
  return frames.empty() ? nullptr : frames.back().at++;
}

bool Cursor::endOfBlock() {
  Frame &f = frames.back();
  switch (f.kind) {
  case Frame::Kind::Plain:
    frames.pop_back();
    return !frames.empty();
  case Frame::Kind::For: {
    int64_t next;
    bool more = !__builtin_add_overflow(f.value, f.step, &next) &&
                (f.step > 0 ? next < f.last : next > f.last);
    if (!more) {
      frames.pop_back();
      return true;
    }
    f.value = next;
    registers[f.operands[0]] = next;
    f.at = program.instructions(static_cast<uint32_t>(f.operands[4])).data();
    return true;
  }
  case Frame::Kind::WhileCondition: {
    auto operands = f.operands;
    frames.pop_back();
    if (registers[operands[1]] != 0)
      enter(operands[2], Frame::Kind::WhileBody, operands);
    return true;
  }
  case Frame::Kind::WhileBody: {
    auto operands = f.operands;
    frames.pop_back();
    enter(operands[0], Frame::Kind::WhileCondition, operands);
    return true;
  }
  }
  return false;
}

Cursor::Outcome Cursor::execute(const Instruction &i) {
  std::span<const int64_t> ops = program.operands(i);
  switch (i.opcode) {
  case Opcode::For: {
    int64_t begin = registers[ops[1]], end = registers[ops[2]],
            by = registers[ops[3]];
    if (by == 0)
      return ZeroStep;
    if (by > 0 ? begin >= end : begin <= end)
      return Done;
    registers[ops[0]] = begin;
    enter(ops[4], Frame::Kind::For, ops);
    frames.back().value = begin;
    frames.back().last = end;
    frames.back().step = by;
    return Done;
  }
  case Opcode::While:
    enter(ops[0], Frame::Kind::WhileCondition, ops);
    return Done;
  case Opcode::Case: {
    int64_t n = ops[1], index = registers[ops[0]];
    if (n <= 0)
      return Done;
    if (index < 0 || index >= n)
      index = n - 1;
    enter(ops[2 + index], Frame::Kind::Plain, ops);
    return Done;
  }
  default:
    return scalar(i) ? Done : NotMine;
  }
}

static bool compareSigned(int64_t direction, int64_t a, int64_t b) {
  switch (direction) {
  case 0:
    return a == b;
  case 1:
    return a != b;
  case 2:
    return a < b;
  case 3:
    return a <= b;
  case 4:
    return a > b;
  default:
    return a >= b;
  }
}

static int64_t wrap(int64_t value, int64_t bits, bool isSigned) {
  if (bits >= 64)
    return value;
  uint64_t low = static_cast<uint64_t>(value) << (64 - bits);
  return isSigned ? static_cast<int64_t>(low) >> (64 - bits)
                  : static_cast<int64_t>(low >> (64 - bits));
}

/// Host scalars; false if the instruction is none.
bool Cursor::scalar(const Instruction &i) {
  std::span<const int64_t> ops = program.operands(i);
  auto &r = registers;
  auto u = [](int64_t v) { return static_cast<uint64_t>(v); };
  auto s = [](uint64_t v) { return static_cast<int64_t>(v); };
  constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
  if (i.opcode == Opcode::SMove) {
    size_t n = static_cast<size_t>(ops[0]);
    int64_t small[8];
    std::vector<int64_t> large;
    int64_t *values = small;
    if (n > 8) {
      large.resize(n);
      values = large.data();
    }
    for (size_t j = 0; j < n; ++j)
      values[j] = r[ops[2 + 2 * j]];
    for (size_t j = 0; j < n; ++j)
      r[ops[1 + 2 * j]] = values[j];
    return true;
  }
  if (i.opcode < Opcode::SConst || i.opcode > Opcode::SUCompare ||
      i.opcode == Opcode::SRead || i.opcode == Opcode::SWrite)
    return false;
  int64_t &dst = r[ops[0]];
  auto a = [&] { return r[ops[1]]; };
  auto b = [&] { return r[ops[2]]; };
  switch (i.opcode) {
  case Opcode::SConst:
    dst = ops[1];
    break;
  case Opcode::SAdd:
    dst = s(u(a()) + u(b()));
    break;
  case Opcode::SSub:
    dst = s(u(a()) - u(b()));
    break;
  case Opcode::SMul:
    dst = s(u(a()) * u(b()));
    break;
  case Opcode::SDiv:
    dst = b() == 0 ? -1 : (a() == lowest && b() == -1) ? lowest : a() / b();
    break;
  case Opcode::SRem:
    dst = b() == 0 ? a() : b() == -1 ? 0 : a() % b();
    break;
  case Opcode::SUDiv:
    dst = b() == 0 ? -1 : s(u(a()) / u(b()));
    break;
  case Opcode::SURem:
    dst = b() == 0 ? a() : s(u(a()) % u(b()));
    break;
  case Opcode::SMin:
    dst = std::min(a(), b());
    break;
  case Opcode::SMax:
    dst = std::max(a(), b());
    break;
  case Opcode::SAnd:
    dst = a() & b();
    break;
  case Opcode::SOr:
    dst = a() | b();
    break;
  case Opcode::SXor:
    dst = a() ^ b();
    break;
  case Opcode::SCompare:
    dst = compareSigned(ops[1], r[ops[2]], r[ops[3]]);
    break;
  case Opcode::SUCompare: // flipping the sign bits keeps the unsigned order
    dst = compareSigned(ops[1], r[ops[2]] ^ lowest, r[ops[3]] ^ lowest);
    break;
  case Opcode::SSelect:
    dst = r[ops[1]] != 0 ? r[ops[2]] : r[ops[3]];
    break;
  case Opcode::SWrap:
    dst = wrap(a(), ops[2], ops[3] != 0);
    break;
  case Opcode::SRank:
    dst = rank;
    break;
  default:
    return false;
  }
  return true;
}

} // namespace shoal::rt
