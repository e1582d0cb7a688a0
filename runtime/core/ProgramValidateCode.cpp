// Instructions of a program table: opcodes, operand counts and kinds, and that
// nothing reaches outside its slot. See ProgramValidator.h.
#include "ProgramValidator.h"

#include "core/CollectiveCall.h"

namespace shoal::program {

/// Loops and branches deeper than this are refused.
static constexpr unsigned kMaxDepth = 256;

bool Validator::checkCollective(const Instruction &in,
                                std::span<const int64_t> ops) {
  // kind, group, reduction, n, in[n], out[n], params
  if (ops.size() < 4)
    return fail("a collective has too few operands");
  int64_t kind = ops[0], reduction = ops[2], n = ops[3];
  if (kind < 0 || kind > static_cast<int64_t>(CollectiveKind::Last))
    return fail("unknown kind of collective");
  if (ops[1] < 0 ||
      !index(static_cast<uint64_t>(ops[1]), Section::Groups, "group"))
    return fail("a collective has no group");
  if (reduction < 0 || reduction > static_cast<int64_t>(Reduction::Last))
    return fail("unknown reduction");
  if (n < 0 || static_cast<uint64_t>(n) > (ops.size() - 4) / 2)
    return fail("a collective has too few operands");
  auto ins = ops.subspan(4, static_cast<size_t>(n)),
       outs = ops.subspan(4 + static_cast<size_t>(n), static_cast<size_t>(n)),
       params = ops.subspan(4 + 2 * static_cast<size_t>(n));
  const Group &group = all<Group>(Section::Groups)[static_cast<size_t>(ops[1])];
  int64_t p = group.groupSize;
  auto k = static_cast<CollectiveKind>(kind);
  if (rt::isReducing(k) != (reduction != 0))
    return fail("a collective has a reduction where none belongs, or none");
  bool ragged = k == CollectiveKind::RaggedAllToAll;
  if (ragged && n != 6)
    return fail("a ragged exchange needs six inputs");
  if ((k == CollectiveKind::Barrier) != (n == 0))
    return fail("a collective has no buffers");
  for (size_t i = 0; i < ins.size(); ++i) {
    bool noIn = k == CollectiveKind::Recv,
         noOut = k == CollectiveKind::Send || (ragged && i > 0);
    if (noIn ? ins[i] != kNone : !slotOf(ins[i], "a collective"))
      return fail("a collective has a bad input");
    if (noOut ? outs[i] != kNone : !writable(outs[i]))
      return fail("a collective has a bad output");
    if (!noIn && !noOut && !ragged && k != CollectiveKind::AllReduce &&
        ins[i] == outs[i])
      return fail("a collective writes into its input");
  }
  auto pairs = [&](size_t first) {
    if (params.size() < first + 1)
      return fail("a collective has too few parameters");
    int64_t m = params[first];
    if (m < 0 || static_cast<uint64_t>(m) > (params.size() - first - 1) / 2 ||
        params.size() != first + 1 + 2 * static_cast<size_t>(m))
      return fail("a collective has a wrong number of parameters");
    for (size_t i = first + 1; i < params.size(); ++i)
      if (params[i] < 0 || params[i] >= p)
        return fail("a collective names a position outside its group");
    return true;
  };
  auto expect = [&](size_t want) {
    return params.size() == want ||
           fail("a collective has a wrong number of parameters");
  };
  switch (k) {
  case CollectiveKind::AllGather:
    if (!expect(3) || params[1] < 0 || params[2] > params[1] * p)
      return fail("a gather is malformed");
    for (size_t i = 0; i < ins.size(); ++i)
      if (!fits({params[0], params[1]}, ins[i], "a gathered block") ||
          !fits({params[0], params[2]}, outs[i], "a gathered tensor"))
        return false;
    return true;
  case CollectiveKind::ReduceScatter:
    if (!expect(3) || params[2] < 0 || params[1] > params[2] * p)
      return fail("a scatter is malformed");
    for (size_t i = 0; i < ins.size(); ++i)
      if (!fits({params[0], params[1]}, ins[i], "a reduced tensor") ||
          !fits({params[0], params[2]}, outs[i], "a scattered block"))
        return false;
    return true;
  case CollectiveKind::AllReduce:
    for (size_t i = 0; i < ins.size(); ++i)
      if (slotBytes(ins[i]) != slotBytes(outs[i]))
        return fail("a reduction has unlike input and output");
    return expect(0);
  case CollectiveKind::AllToAll: {
    uint64_t a, b;
    return expect(6) && n == 1 && params[2] >= 0 && params[5] >= 0 &&
                   product({params[0], params[2]}, a) &&
                   product({params[3], params[5]}, b) && a == b &&
                   params[1] <= params[2] * p && params[4] <= params[5] * p &&
                   fits({params[0], params[1]}, ins[0],
                        "an exchanged tensor") &&
                   fits({params[3], params[4]}, outs[0], "an exchanged tensor")
               ? true
               : fail("an exchange is malformed");
  }
  case CollectiveKind::Permute:
    return n == 1 && slotBytes(ins[0]) == slotBytes(outs[0])
               ? pairs(0)
               : fail("a permutation has unlike input and output");
  case CollectiveKind::Broadcast:
    return n == 1 && slotBytes(ins[0]) == slotBytes(outs[0])
               ? expect(1) && reg(params[0])
               : fail("a broadcast has unlike input and output");
  case CollectiveKind::Barrier:
    return expect(0);
  case CollectiveKind::Send:
  case CollectiveKind::Recv:
    return n == 1 ? pairs(1) : fail("a transfer needs one buffer");
  case CollectiveKind::Reblock:
    if (n != 1 || (params.size() != 11 && params.size() != 12))
      return fail("a reblock is malformed");
    if (params.size() == 12 && params[11] != kNone &&
        (!slotOf(params[11], "a fill") ||
         slotBytes(params[11]) < static_cast<uint64_t>(params[8])))
      return fail("a reblock has no element to fill with");
    for (size_t i : {0, 1, 2, 3, 4})
      if (params[i] < 0)
        return fail("a reblock is malformed");
    if (params[7] < 0 || params[7] > 1 ||
        !(params[8] == 0 || params[8] == 1 || params[8] == 2 ||
          params[8] == 4 || params[8] == 8 || params[8] == 16) ||
        params[5] < -(int64_t{1} << 40) || params[5] > (int64_t{1} << 40) ||
        params[6] < -(int64_t{1} << 40) || params[6] > (int64_t{1} << 40))
      return fail("a reblock is malformed");
    return fits({params[0], params[1], params[2]}, ins[0], "a block") &&
           fits({params[0], params[1], params[3]}, outs[0], "a block");
  case CollectiveKind::RaggedAllToAll:
    return expect(3) &&
           fits({params[0], params[1]}, ins[0], "a ragged input") &&
           fits({params[0], params[2]}, outs[0], "a ragged output");
  }
  return fail("unknown kind of collective");
}

bool Validator::checkInstruction(const Instruction &in) {
  if (!str(in.loc))
    return false;
  if (!range(in.firstOperand, in.numOperands, Section::Operands, "operands"))
    return false;
  if (in.stream >= header.numStreams)
    return fail("an instruction is in no stream");
  auto ops = view.operands(in);
  auto wrongCount = [&] {
    return fail("instruction of opcode " +
                std::to_string(static_cast<int>(in.opcode)) +
                " has a wrong number of operands");
  };
  auto expect = [&](size_t n) { return ops.size() == n || wrongCount(); };
  switch (in.opcode) {
  case Opcode::Nop:
    return expect(0);
  case Opcode::SConst:
    return expect(2) && reg(ops[0]);
  case Opcode::SAdd:
  case Opcode::SSub:
  case Opcode::SMul:
  case Opcode::SDiv:
  case Opcode::SRem:
  case Opcode::SMin:
  case Opcode::SMax:
  case Opcode::SAnd:
  case Opcode::SOr:
  case Opcode::SXor:
  case Opcode::SUDiv:
  case Opcode::SURem:
    return expect(3) && reg(ops[0]) && reg(ops[1]) && reg(ops[2]);
  case Opcode::SCompare:
  case Opcode::SUCompare:
    return expect(4) && reg(ops[0]) && reg(ops[2]) && reg(ops[3]) &&
           ((ops[1] >= 0 && ops[1] <= 5) || fail("unknown comparison"));
  case Opcode::SSelect:
    return expect(4) && reg(ops[0]) && reg(ops[1]) && reg(ops[2]) &&
           reg(ops[3]);
  case Opcode::SWrap: {
    if (!expect(4) || !reg(ops[0]) || !reg(ops[1]))
      return false;
    int64_t b = ops[2];
    return (b >= 1 && b <= 64 && (b & (b - 1)) == 0 &&
            (ops[3] == 0 || ops[3] == 1)) ||
           fail("bad width of a scalar");
  }
  case Opcode::SRank:
    return expect(1) && reg(ops[0]);
  case Opcode::SRead:
  case Opcode::SWrite: {
    if (!expect(2))
      return false;
    bool read = in.opcode == Opcode::SRead;
    int64_t r = read ? ops[0] : ops[1], s = read ? ops[1] : ops[0];
    if (!reg(r) || !slotOf(s, "a scalar") || (!read && !writable(s)))
      return false;
    const Slot &sl = view.slots()[static_cast<size_t>(s)];
    DType d = view.type(sl.type).dtype;
    return (rt::isInteger(d) &&
            sl.bytes == static_cast<uint64_t>(rt::byteSize(d))) ||
           fail("a host scalar is read from or written to what is no integer");
  }
  case Opcode::SMove:
  case Opcode::Handles: {
    if (ops.empty() || ops[0] < 0 || ops.size() % 2 == 0 ||
        static_cast<uint64_t>(ops[0]) != ops.size() / 2)
      return wrongCount();
    for (size_t i = 1; i + 1 < ops.size(); i += 2) {
      if (in.opcode == Opcode::SMove) {
        if (!reg(ops[i]) || !reg(ops[i + 1]))
          return false;
        continue;
      }
      if (!handle(ops[i]) || !slotOf(ops[i + 1], "a handle"))
        return false;
      if (slotBytes(ops[i]) > slotBytes(ops[i + 1]))
        return fail("a handle is larger than what it is set to");
    }
    return true;
  }
  case Opcode::View: {
    if (ops.size() < 4 || ops[3] < 0 || ops.size() % 2 != 0 ||
        static_cast<uint64_t>(ops[3]) != (ops.size() - 4) / 2)
      return wrongCount();
    if (!handle(ops[0]) || !slotOf(ops[1], "a view"))
      return false;
    if (ops[2] < 0 || static_cast<uint64_t>(ops[2]) > slotBytes(ops[1]) ||
        slotBytes(ops[0]) > slotBytes(ops[1]) - static_cast<uint64_t>(ops[2]))
      return fail("a view reaches outside its base");
    for (size_t i = 4; i + 1 < ops.size(); i += 2)
      if (!reg(ops[i]))
        return false;
    return true;
  }
  case Opcode::Copy: {
    bool isPart = ops.size() > 2;
    if (isPart && (ops.size() < 4 || ops[3] < 0 || ops.size() % 2 != 0 ||
                   static_cast<uint64_t>(ops[3]) != (ops.size() - 4) / 2))
      return wrongCount();
    copies = true;
    bool good =
        (isPart || expect(2)) && writable(ops[0]) && slotOf(ops[1], "a copy");
    copies = false;
    if (!good)
      return false;
    if (isHost(ops[0]) && isHost(ops[1]))
      return fail("a copy within the host's memory");
    if (isPart) {
      if (!isHost(ops[0]) && !isHost(ops[1]))
        return fail("a copy of a part has no part in the host's memory");
      for (size_t i = 4; i + 1 < ops.size(); i += 2)
        if (!reg(ops[i]))
          return false;
      uint64_t host = slotBytes(ops[isHost(ops[0]) ? 0 : 1]),
               part = slotBytes(ops[isHost(ops[0]) ? 1 : 0]);
      return (ops[2] >= 0 && static_cast<uint64_t>(ops[2]) <= host &&
              part <= host - static_cast<uint64_t>(ops[2])) ||
             fail("a copy reaches outside its source or destination");
    }
    return slotBytes(ops[0]) == slotBytes(ops[1]) ||
           fail("a copy has unlike source and destination");
  }
  case Opcode::Copy2D: {
    if (!expect(10) || !writable(ops[0]) || !slotOf(ops[3], "a copy"))
      return false;
    for (size_t i : {1, 2, 4, 5, 6, 7, 9})
      if (ops[i] < 0)
        return fail("a copy has a negative size");
    if (ops[8] != kNone && !reg(ops[8]))
      return false;
    if (ops[7] == 0)
      return true;
    return fits({ops[7], ops[2]}, ops[0], "a copy") &&
           fits({ops[7], ops[5]}, ops[3], "a copy") &&
           ((ops[1] <= ops[2] && ops[6] <= ops[2] - ops[1]) ||
            fail("a copy reaches outside its row"));
  }
  case Opcode::Fill: {
    if (!expect(4) || !writable(ops[0]))
      return false;
    int64_t e = ops[1];
    return ((e == 1 || e == 2 || e == 4 || e == 8 || e == 16) &&
            slotBytes(ops[0]) % static_cast<uint64_t>(e) == 0) ||
           fail("bad element of a fill");
  }
  case Opcode::Exec: {
    if (ops.empty() || ops[0] < 0 ||
        !index(static_cast<uint64_t>(ops[0]), Section::Kernels, "kernel"))
      return fail("an instruction runs no kernel");
    const Kernel &k =
        all<Kernel>(Section::Kernels)[static_cast<size_t>(ops[0])];
    if (ops.size() != 1ull + k.numInputs + k.numOutputs + k.numScalars)
      return wrongCount();
    size_t i = 1;
    for (uint32_t j = 0; j < k.numInputs; ++j)
      if (!slotOf(ops[i++], "a kernel's input"))
        return false;
    for (uint32_t j = 0; j < k.numOutputs; ++j)
      if (!writable(ops[i++]))
        return false;
    for (uint32_t j = 0; j < k.numScalars; ++j)
      if (!reg(ops[i++]))
        return false;
    return true;
  }
  case Opcode::Matmul: {
    if (ops.size() < 9)
      return wrongCount();
    if (!slotOf(ops[0], "a product") || !slotOf(ops[1], "a product") ||
        !writable(ops[2]))
      return false;
    if (ops[4] < 0 || ops[4] >= rt::numDTypes)
      return fail("unknown element type");
    uint64_t dims = 0;
    for (size_t i = 5; i < 9; ++i) {
      if (ops[i] < 0 || ops[i] > 64)
        return wrongCount();
      dims += static_cast<uint64_t>(ops[i]);
    }
    if (ops.size() != 9 + 4 * dims)
      return wrongCount();
    unsigned __int128 last[3] = {0, 0, 0};
    bool empty = false;
    for (size_t i = 9; i + 3 < ops.size(); i += 4) {
      if (ops[i] < 0)
        return fail("a product has a negative size");
      empty |= ops[i] == 0;
      for (size_t s = 0; s < 3; ++s) {
        if (ops[i + 1 + s] < 0)
          return fail("a product has a negative stride");
        if (ops[i] > 0)
          last[s] += static_cast<unsigned __int128>(
                         static_cast<uint64_t>(ops[i] - 1)) *
                     static_cast<uint64_t>(ops[i + 1 + s]);
        if (last[s] > INT64_MAX)
          return fail("a product reaches outside its slots");
      }
    }
    if (empty)
      return true;
    for (size_t s = 0; s < 3; ++s) {
      const Slot &slot = view.slots()[static_cast<size_t>(ops[s])];
      uint64_t width =
          static_cast<uint64_t>(rt::byteSize(view.type(slot.type).dtype));
      if (width == 0)
        return fail("a product of tokens");
      if (slot.bytes == 0 && s < 2)
        return fail("a product reaches outside its slots");
      if (last[s] >= slot.bytes / width)
        return fail("a product reaches outside its slots");
    }
    return true;
  }
  case Opcode::Convolution: {
    if (ops.size() < 5 || ops[4] < 0 || ops[4] > 16)
      return wrongCount();
    size_t n = static_cast<size_t>(ops[4]);
    if (ops.size() != 5 + 3 * (2 + n) + 2 + 6 * n)
      return wrongCount();
    if (!slotOf(ops[0], "a convolution") || !slotOf(ops[1], "a convolution") ||
        !writable(ops[2]))
      return false;
    for (size_t t = 0; t < 3; ++t) {
      const Slot &slot = view.slots()[static_cast<size_t>(ops[t])];
      if (view.type(slot.type).shape.count != n + 2)
        return fail("a convolution's operand has another rank");
      uint64_t seen = 0;
      for (size_t d = 0; d < n + 2; ++d) {
        int64_t dim = ops[5 + t * (n + 2) + d];
        if (dim < 0 || dim >= static_cast<int64_t>(n + 2) || (seen >> dim & 1))
          return fail("a convolution's dimensions are no permutation");
        seen |= uint64_t{1} << dim;
      }
    }
    size_t at = 5 + 3 * (n + 2);
    if (ops[at] < 1 || ops[at + 1] < 1)
      return fail("a convolution has no groups");
    for (size_t d = 0; d < n; ++d) {
      auto w = ops.subspan(at + 2 + 6 * d, 6);
      if (w[0] < 1 || w[3] < 1 || w[4] < 1 || w[5] < 0 || w[5] > 1)
        return fail("a convolution's window is malformed");
    }
    return true;
  }
  case Opcode::CustomCall: {
    if (ops.size() < 3 || ops[0] < 0 ||
        !index(static_cast<uint64_t>(ops[0]), Section::CustomCalls,
               "custom call"))
      return fail("an instruction calls nothing");
    if (ops[1] < 0 || ops[2] < 0 || ops[1] > 65536 || ops[2] > 65536 ||
        ops.size() !=
            3 + static_cast<size_t>(ops[1]) + static_cast<size_t>(ops[2]))
      return wrongCount();
    for (size_t i = 3; i < ops.size(); ++i)
      if (i < 3 + static_cast<size_t>(ops[1]) ? !slotOf(ops[i], "a call")
                                              : !writable(ops[i]))
        return false;
    return true;
  }
  case Opcode::Check: {
    if (!expect(4) || ops[0] < 0 ||
        !index(static_cast<uint64_t>(ops[0]), Section::Checks, "check") ||
        !slotOf(ops[1], "a check"))
      return fail("a check is malformed");
    const struct Check &c =
        all<struct Check>(Section::Checks)[static_cast<size_t>(ops[0])];
    bool needs = c.kind != CheckKind::True && c.kind != CheckKind::SerializedEq;
    if (needs ? !slotOf(ops[2], "a check") : ops[2] != kNone)
      return fail("a check has nothing to compare with");
    return ops[3] == kNone || writable(ops[3]);
  }
  case Opcode::Fail:
    if (!expect(2) || ops[0] < 0 || ops[1] < 0 || ops[0] > UINT32_MAX ||
        ops[1] > UINT32_MAX)
      return fail("a failure has no message");
    return str({static_cast<uint32_t>(ops[0]), static_cast<uint32_t>(ops[1])});
  case Opcode::Collective:
    return checkCollective(in, ops);
  case Opcode::CollectiveStart:
    return ops.empty() ? wrongCount()
                       : event(ops[0]) && checkCollective(in, ops.subspan(1));
  case Opcode::CollectiveDone:
  case Opcode::Record:
  case Opcode::Wait:
    return expect(1) && event(ops[0]);
  case Opcode::For:
    return expect(5) && reg(ops[0]) && reg(ops[1]) && reg(ops[2]) &&
           reg(ops[3]) && ops[4] >= 0 &&
           index(static_cast<uint64_t>(ops[4]), Section::Blocks, "block");
  case Opcode::While:
    return expect(3) && ops[0] >= 0 && ops[2] >= 0 && reg(ops[1]) &&
           index(static_cast<uint64_t>(ops[0]), Section::Blocks, "block") &&
           index(static_cast<uint64_t>(ops[2]), Section::Blocks, "block");
  case Opcode::Case: {
    if (ops.size() < 3 || !reg(ops[0]) || ops[1] < 1 ||
        static_cast<uint64_t>(ops[1]) != ops.size() - 2)
      return wrongCount();
    for (int64_t b : ops.subspan(2))
      if (b < 0 || !index(static_cast<uint64_t>(b), Section::Blocks, "block"))
        return fail("a branch leads nowhere");
    return true;
  }
  }
  return fail("unknown opcode " + std::to_string(static_cast<int>(in.opcode)));
}

/// Instructions of the block and of those it leads to; a block that contains
/// itself would run for ever.
bool Validator::checkBlock(uint32_t block, unsigned depth) {
  if (depth > kMaxDepth)
    return fail("blocks are nested too deep");
  if (blockState[block] == 2)
    return true;
  if (blockState[block] == 1)
    return fail("a block contains itself");
  blockState[block] = 1;
  for (const Instruction &in : view.instructions(block)) {
    if (!checkInstruction(in))
      return fail("an instruction is malformed");
    auto ops = view.operands(in);
    std::vector<int64_t> next;
    if (in.opcode == Opcode::For)
      next = {ops[4]};
    else if (in.opcode == Opcode::While)
      next = {ops[0], ops[2]};
    else if (in.opcode == Opcode::Case)
      next.assign(ops.begin() + 2, ops.end());
    for (int64_t b : next)
      if (!checkBlock(static_cast<uint32_t>(b), depth + 1))
        return false;
  }
  blockState[block] = 2;
  return true;
}

} // namespace shoal::program
