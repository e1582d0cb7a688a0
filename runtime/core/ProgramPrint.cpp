// A program table as text, for people and for tests.
#include "shoal/runtime/Program.h"

#include <cstdarg>
#include <cstdio>

namespace shoal::program {

namespace {

const char *opcodeName(Opcode opcode) {
  switch (opcode) {
  case Opcode::Nop:
    return "nop";
  case Opcode::SConst:
    return "const";
  case Opcode::SAdd:
    return "add";
  case Opcode::SSub:
    return "sub";
  case Opcode::SMul:
    return "mul";
  case Opcode::SDiv:
    return "div";
  case Opcode::SRem:
    return "rem";
  case Opcode::SMin:
    return "min";
  case Opcode::SMax:
    return "max";
  case Opcode::SAnd:
    return "and";
  case Opcode::SOr:
    return "or";
  case Opcode::SXor:
    return "xor";
  case Opcode::SCompare:
    return "compare";
  case Opcode::SSelect:
    return "select";
  case Opcode::SWrap:
    return "wrap";
  case Opcode::SRank:
    return "rank";
  case Opcode::SRead:
    return "read";
  case Opcode::SWrite:
    return "write";
  case Opcode::SMove:
    return "move";
  case Opcode::SUDiv:
    return "udiv";
  case Opcode::SURem:
    return "urem";
  case Opcode::SUCompare:
    return "ucompare";
  case Opcode::View:
    return "view";
  case Opcode::Handles:
    return "handles";
  case Opcode::Copy:
    return "copy";
  case Opcode::Copy2D:
    return "copy2d";
  case Opcode::Fill:
    return "fill";
  case Opcode::Exec:
    return "exec";
  case Opcode::Matmul:
    return "matmul";
  case Opcode::Convolution:
    return "convolution";
  case Opcode::CustomCall:
    return "custom_call";
  case Opcode::Check:
    return "check";
  case Opcode::Fail:
    return "fail";
  case Opcode::Collective:
    return "collective";
  case Opcode::CollectiveStart:
    return "collective_start";
  case Opcode::CollectiveDone:
    return "collective_done";
  case Opcode::Record:
    return "record";
  case Opcode::Wait:
    return "wait";
  case Opcode::For:
    return "for";
  case Opcode::While:
    return "while";
  case Opcode::Case:
    return "case";
  }
  return "unknown";
}

const char *const kCollectiveNames[] = {
    "all_gather", "reduce_scatter", "all_reduce",       "all_to_all",
    "permute",    "broadcast",      "barrier",          "send",
    "recv",       "reblock",        "ragged_all_to_all"};
const char *const kReductionNames[] = {"",    "add", "mul", "min",
                                       "max", "and", "or",  "xor"};
const char *const kCheckNames[] = {"eq", "almost_eq", "close", "is_true",
                                   "serialized_eq"};

class Printer {
public:
  explicit Printer(const View &view) : view(view) {}
  std::string run();

private:
  [[gnu::format(printf, 2, 3)]] void add(const char *format, ...) {
    char buffer[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(buffer, sizeof(buffer), format, args);
    va_end(args);
    out += buffer;
  }
  void text(Str s) { out += view.str(s); }
  std::string typeName(uint32_t index) const {
    const Type &type = view.type(index);
    std::string result;
    for (int64_t d : view.shape(index))
      result += std::to_string(d) + "x";
    return result + std::string(rt::name(type.dtype)) +
           (type.quantization == kNone ? "" : "(quantized)");
  }
  std::string slotName(int64_t s) const {
    return static_cast<uint32_t>(s) == kNone ? "-" : "s" + std::to_string(s);
  }
  void block(uint32_t index, unsigned indent);
  void instruction(const Instruction &in, unsigned indent);
  void collective(std::span<const int64_t> ops);
  void gpu();
  template <typename T>
  std::span<const T> all(Section s) {
    return view.section<T>(s);
  }

  const View &view;
  std::string out;
};

void Printer::collective(std::span<const int64_t> ops) {
  size_t n = static_cast<size_t>(ops[3]);
  out += kCollectiveNames[ops[0]];
  if (ops[2])
    add(" %s", kReductionNames[ops[2]]);
  out += " over {";
  text(all<Group>(Section::Groups)[static_cast<size_t>(ops[1])].name);
  out += "} (";
  for (size_t i = 0; i < n; ++i)
    out += (i ? ", " : "") + slotName(ops[4 + i]);
  out += ") -> (";
  for (size_t i = 0; i < n; ++i)
    out += (i ? ", " : "") + slotName(ops[4 + n + i]);
  out += ")";
  for (int64_t param : ops.subspan(4 + 2 * n))
    add(" %lld", static_cast<long long>(param));
}

void Printer::instruction(const Instruction &in, unsigned indent) {
  auto ops = view.operands(in);
  out.append(indent, ' ');
  if (in.stream)
    add("[%u] ", in.stream);
  switch (in.opcode) {
  case Opcode::Exec: {
    const Kernel &kernel =
        all<Kernel>(Section::Kernels)[static_cast<size_t>(ops[0])];
    out += "exec ";
    text(kernel.name);
    out += "(";
    size_t at = 1;
    for (uint32_t i = 0; i < kernel.numInputs; ++i)
      out += (i ? ", " : "") + slotName(ops[at++]);
    out += ") -> (";
    for (uint32_t i = 0; i < kernel.numOutputs; ++i)
      out += (i ? ", " : "") + slotName(ops[at++]);
    out += ")";
    for (uint32_t i = 0; i < kernel.numScalars; ++i)
      out += " r" + std::to_string(ops[at++]);
    break;
  }
  case Opcode::View:
    out += slotName(ops[0]) + " = view " + slotName(ops[1]) + " + " +
           std::to_string(ops[2]);
    for (size_t i = 4; i + 1 < ops.size(); i += 2)
      add(" + r%lld*%lld", static_cast<long long>(ops[i]),
          static_cast<long long>(ops[i + 1]));
    break;
  case Opcode::Handles:
  case Opcode::SMove: {
    const char *letter = in.opcode == Opcode::Handles ? "s" : "r";
    out += opcodeName(in.opcode);
    for (size_t i = 1; i + 1 < ops.size(); i += 2)
      add(" %s%lld = %s%lld", letter, static_cast<long long>(ops[i]), letter,
          static_cast<long long>(ops[i + 1]));
    break;
  }
  case Opcode::Copy:
    out += "copy " + slotName(ops[0]) + " = " + slotName(ops[1]);
    if (ops.size() > 2)
      out += ", in the host's at " + std::to_string(ops[2]);
    for (size_t i = 4; i + 1 < ops.size(); i += 2)
      add(" + r%lld*%lld", static_cast<long long>(ops[i]),
          static_cast<long long>(ops[i + 1]));
    break;
  case Opcode::Matmul:
    out += "matmul " + slotName(ops[2]) + " = " + slotName(ops[0]) + " * " +
           slotName(ops[1]);
    for (size_t i = 9; i + 3 < ops.size(); i += 4)
      add(" %lld", static_cast<long long>(ops[i]));
    break;
  case Opcode::CustomCall: {
    out += "custom_call ";
    text(all<CustomCall>(Section::CustomCalls)[static_cast<size_t>(ops[0])]
             .target);
    size_t in0 = static_cast<size_t>(ops[1]);
    out += "(";
    for (size_t i = 0; i < in0; ++i)
      out += (i ? ", " : "") + slotName(ops[3 + i]);
    out += ") -> (";
    for (size_t i = 3 + in0; i < ops.size(); ++i)
      out += (i > 3 + in0 ? ", " : "") + slotName(ops[i]);
    out += ")";
    break;
  }
  case Opcode::Check: {
    const struct Check &check =
        all<struct Check>(Section::Checks)[static_cast<size_t>(ops[0])];
    add("check %s %s, %s", kCheckNames[static_cast<uint32_t>(check.kind)],
        slotName(ops[1]).c_str(), slotName(ops[2]).c_str());
    break;
  }
  case Opcode::SRead:
    add("r%lld = read s%lld", static_cast<long long>(ops[0]),
        static_cast<long long>(ops[1]));
    break;
  case Opcode::SWrite:
    add("write s%lld = r%lld", static_cast<long long>(ops[0]),
        static_cast<long long>(ops[1]));
    break;
  case Opcode::Collective:
    collective(ops);
    break;
  case Opcode::CollectiveStart:
    add("e%lld = start ", static_cast<long long>(ops[0]));
    collective(ops.subspan(1));
    break;
  case Opcode::For:
    add("for r%lld = r%lld to r%lld step r%lld\n",
        static_cast<long long>(ops[0]), static_cast<long long>(ops[1]),
        static_cast<long long>(ops[2]), static_cast<long long>(ops[3]));
    block(static_cast<uint32_t>(ops[4]), indent + 2);
    return;
  case Opcode::While:
    out += "while\n";
    block(static_cast<uint32_t>(ops[0]), indent + 2);
    out.append(indent, ' ');
    add("r%lld do\n", static_cast<long long>(ops[1]));
    block(static_cast<uint32_t>(ops[2]), indent + 2);
    return;
  case Opcode::Case:
    add("case r%lld\n", static_cast<long long>(ops[0]));
    for (size_t i = 2; i < ops.size(); ++i) {
      out.append(indent, ' ');
      add("%zu:\n", i - 2);
      block(static_cast<uint32_t>(ops[i]), indent + 2);
    }
    return;
  default:
    // Host scalars: the destination, then registers and numbers.
    if (in.opcode >= Opcode::SConst && in.opcode <= Opcode::SUCompare) {
      add("r%lld = %s", static_cast<long long>(ops[0]), opcodeName(in.opcode));
      bool compares =
          in.opcode == Opcode::SCompare || in.opcode == Opcode::SUCompare;
      for (size_t i = 1; i < ops.size(); ++i) {
        bool number = in.opcode == Opcode::SConst || (compares && i == 1) ||
                      (in.opcode == Opcode::SWrap && i >= 2);
        add(number ? " %lld" : " r%lld", static_cast<long long>(ops[i]));
      }
      break;
    }
    out += opcodeName(in.opcode);
    for (int64_t op : ops)
      add(" %lld", static_cast<long long>(op));
  }
  if (in.loc.length) {
    out += "  // ";
    text(in.loc);
  }
  out += '\n';
}

void Printer::block(uint32_t index, unsigned indent) {
  for (const Instruction &in : view.instructions(index))
    instruction(in, indent);
}

/// Device code and how each kernel is launched.
void Printer::gpu() {
  static const char *const kinds[] = {"cubin", "ptx", "host"};
  auto images = all<Image>(Section::Images);
  for (size_t i = 0; i < images.size(); ++i) {
    const Image &image = images[i];
    add("image %zu: %s for ", i, kinds[static_cast<uint32_t>(image.kind)]);
    text(image.chip);
    add(", %llu bytes", static_cast<unsigned long long>(image.bytes));
    if (image.fallback != kNone)
      add(", newer chips: image %u", image.fallback);
    out += '\n';
  }
  auto kernels = all<Kernel>(Section::Kernels);
  auto launches = all<GpuKernel>(Section::GpuKernels);
  for (size_t i = 0; i < launches.size(); ++i) {
    const GpuKernel &k = launches[i];
    if (i < kernels.size()) {
      out += "kernel ";
      text(kernels[i].name);
    } else {
      add("launch %zu", i);
    }
    add(": image %u, grid %u", k.image, k.grid[0]);
    if (k.grid[1] != 1 || k.grid[2] != 1)
      add("x%u", k.grid[1]);
    if (k.grid[2] != 1)
      add("x%u", k.grid[2]);
    add(", block %u", k.block);
    if (k.cluster[0] * k.cluster[1] * k.cluster[2] != 1)
      add(", cluster %ux%ux%u", k.cluster[0], k.cluster[1], k.cluster[2]);
    if (k.sharedBytes)
      add(", shared %u bytes", k.sharedBytes);
    if (k.scratchBytes)
      add(", scratch %llu bytes%s",
          static_cast<unsigned long long>(k.scratchBytes),
          k.flags & kScratchZeroed ? " of zeros" : "");
    if (k.flags & kCooperative)
      out += ", cooperative";
    if (k.registers)
      add(", %u registers", k.registers);
    if (k.spillBytes)
      add(", spills %u bytes", k.spillBytes);
    out += ", symbol ";
    text(k.symbol);
    if (i < kernels.size() && kernels[i].library.length) {
      out += ", or by a library where it is there: ";
      text(kernels[i].library);
    }
    if (k.next != kNone)
      add(", then launch %u", k.next);
    out += '\n';
  }
}

std::string Printer::run() {
  const Header &header = view.header();
  out += "program ";
  text(header.entry);
  add(": %llu ranks, arena %llu bytes, constants %llu bytes, target ",
      static_cast<unsigned long long>(header.numRanks),
      static_cast<unsigned long long>(header.arenaBytes),
      static_cast<unsigned long long>(header.constantsBytes));
  text(header.target);
  if (header.hostBytes)
    add(", host memory %llu bytes",
        static_cast<unsigned long long>(header.hostBytes));
  if (header.chip.length && view.str(header.target) != "cpu") {
    out += " ";
    text(header.chip);
  }
  add(", copies %llu bytes a step\n",
      static_cast<unsigned long long>(header.copiedBytes));
  if (!all<MeshAxis>(Section::MeshAxes).empty()) {
    out += "mesh";
    for (const MeshAxis &axis : all<MeshAxis>(Section::MeshAxes)) {
      out += " ";
      text(axis.name);
      add("=%lld", static_cast<long long>(axis.size));
    }
    out += '\n';
  }
  auto entry = [&](const char *what, size_t i, uint32_t global, uint32_t local,
                   uint32_t sharding, uint32_t slot) {
    add("%s %zu: %s", what, i, typeName(global).c_str());
    if (sharding != kNone) {
      add(" as %s ", typeName(local).c_str());
      text(all<Sharding>(Section::Shardings)[sharding].text);
    }
    add(" in s%u", slot);
  };
  auto args = all<Argument>(Section::Arguments);
  for (size_t i = 0; i < args.size(); ++i) {
    entry("argument", i, args[i].globalType, args[i].localType,
          args[i].sharding, args[i].slot);
    out += args[i].donated ? ", donated\n" : "\n";
  }
  auto results = all<Result>(Section::Results);
  for (size_t i = 0; i < results.size(); ++i) {
    entry("result", i, results[i].globalType, results[i].localType,
          results[i].sharding, results[i].slot);
    out += '\n';
  }
  auto slots = view.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot &slot = slots[i];
    add("s%zu: %s ", i, typeName(slot.type).c_str());
    switch (slot.kind) {
    case SlotKind::Arena:
      add("arena %lld", static_cast<long long>(slot.offset));
      break;
    case SlotKind::Host:
      add("host %lld", static_cast<long long>(slot.offset));
      break;
    case SlotKind::Argument:
      add("argument %u", slot.ref);
      break;
    case SlotKind::Result:
      add("result %u", slot.ref);
      break;
    case SlotKind::Constant:
      add("constant %u", slot.ref);
      break;
    case SlotKind::View:
      add("view of s%u at %lld", slot.ref, static_cast<long long>(slot.offset));
      break;
    case SlotKind::Handle:
      out += "handle";
      break;
    }
    out += '\n';
  }
  gpu();
  out += "run\n";
  block(header.mainBlock, 2);
  return std::move(out);
}

} // namespace

std::string print(const View &view) { return Printer(view).run(); }

} // namespace shoal::program
