// A small assembler for program tables, so that the runtime can be tested
// without a compiler.
#ifndef SHOAL_TEST_UNIT_RUNTIME_TESTPROGRAM_H
#define SHOAL_TEST_UNIT_RUNTIME_TESTPROGRAM_H

#include "shoal/runtime/Package.h"
#include "shoal/runtime/Run.h"

#include <cstring>
#include <string>
#include <vector>

namespace shoal::rt {

class TestProgram {
public:
  std::string strings = std::string(1, '\0');
  std::vector<int64_t> ints, operands;
  std::vector<program::Type> types;
  std::vector<program::MeshAxis> axes;
  std::vector<program::Digit> digits;
  std::vector<program::Group> groups;
  std::vector<program::ShardDim> shardDims;
  std::vector<program::Sharding> shardings;
  std::vector<program::Slot> slots;
  std::vector<program::Kernel> kernels;
  std::vector<program::Image> images;
  std::vector<program::GpuKernel> gpuKernels;
  std::vector<program::Argument> arguments;
  std::vector<program::Result> results;
  std::vector<program::Check> checks;
  std::vector<program::Instruction> instructions;
  std::vector<program::Block> blocks;
  std::vector<ShoalKernelFn> functions;
  std::vector<std::byte> imageBytes;
  std::string target = "cpu", chip;
  uint64_t arena = 0, host = 0;
  uint32_t registers = 8, events = 8, streams = 1;
  int64_t ranks = 1;

  program::Str str(const std::string &s) {
    program::Str result{static_cast<uint32_t>(strings.size()),
                        static_cast<uint32_t>(s.size())};
    strings += s + '\0';
    return result;
  }
  uint32_t type(DType dtype, std::vector<int64_t> shape) {
    program::Type t = {};
    t.dtype = dtype;
    t.quantization = program::kNone;
    t.shape = {static_cast<uint32_t>(ints.size()),
               static_cast<uint32_t>(shape.size())};
    ints.insert(ints.end(), shape.begin(), shape.end());
    types.push_back(t);
    return static_cast<uint32_t>(types.size() - 1);
  }
  uint64_t bytes(uint32_t t) {
    int64_t n = byteSize(types[t].dtype);
    for (uint32_t d = 0; d < types[t].shape.count; ++d)
      n *= ints[types[t].shape.first + d];
    return static_cast<uint64_t>(n);
  }
  /// One mesh axis "x"; call first.
  void mesh(int64_t size) {
    ranks = size;
    axes.push_back({str("x"), size});
    digits.push_back({size, 1});
    program::Group g = {};
    g.name = str("x");
    g.numDigits = 1;
    g.groupSize = size;
    g.numGroups = 1;
    groups.push_back(g);
  }
  /// Dimension 0 of `rank` dimensions cut over the axis in blocks.
  uint32_t cut(std::vector<int64_t> global, int64_t block) {
    program::Sharding s = {};
    s.firstDim = static_cast<uint32_t>(shardDims.size());
    s.numDims = static_cast<uint32_t>(global.size());
    s.onlyRank = program::kNone;
    s.text = str("cut");
    shardDims.push_back({ranks, block, 0, 1});
    for (size_t d = 1; d < global.size(); ++d)
      shardDims.push_back({1, global[d], 0, 0});
    shardings.push_back(s);
    return static_cast<uint32_t>(shardings.size() - 1);
  }
  uint32_t slot(program::SlotKind kind, uint32_t t, uint32_t ref = 0,
                int64_t offset = 0) {
    program::Slot s = {};
    s.type = t;
    s.kind = kind;
    s.ref = ref;
    s.offset = offset;
    s.bytes = bytes(t);
    slots.push_back(s);
    return static_cast<uint32_t>(slots.size() - 1);
  }
  uint32_t temporary(uint32_t t) {
    uint32_t s =
        slot(program::SlotKind::Arena, t, 0, static_cast<int64_t>(arena));
    arena += (bytes(t) + 63) / 64 * 64;
    return s;
  }
  uint32_t hostMemory(uint32_t t) {
    uint32_t s =
        slot(program::SlotKind::Host, t, 0, static_cast<int64_t>(host));
    host += (bytes(t) + 63) / 64 * 64;
    return s;
  }
  uint32_t argument(uint32_t global, uint32_t local,
                    uint32_t sharding = program::kNone) {
    program::Argument a = {};
    a.name = str("arg" + std::to_string(arguments.size()));
    a.globalType = global;
    a.localType = local;
    a.sharding = sharding;
    a.aliasResult = program::kNone;
    a.slot = slot(program::SlotKind::Argument, local,
                  static_cast<uint32_t>(arguments.size()));
    arguments.push_back(a);
    return a.slot;
  }
  uint32_t result(uint32_t global, uint32_t local,
                  uint32_t sharding = program::kNone) {
    program::Result r = {};
    r.name = str("out" + std::to_string(results.size()));
    r.globalType = global;
    r.localType = local;
    r.sharding = sharding;
    r.aliasArgument = program::kNone;
    r.slot = slot(program::SlotKind::Result, local,
                  static_cast<uint32_t>(results.size()));
    results.push_back(r);
    return r.slot;
  }
  uint32_t kernel(ShoalKernelFn f, uint32_t in, uint32_t out, int64_t chunks,
                  uint32_t scalars = 0) {
    program::Kernel k = {};
    k.symbol = k.name = str("k" + std::to_string(kernels.size()));
    k.numInputs = in;
    k.numOutputs = out;
    k.numScalars = scalars;
    k.numChunks = chunks;
    k.bytes = 1 << 20; // worth sharing among threads
    kernels.push_back(k);
    functions.push_back(f);
    return static_cast<uint32_t>(kernels.size() - 1);
  }
  /// Device code; call before gpuKernel.
  uint32_t image(program::ImageKind kind, const std::string &chip,
                 const std::string &bytes) {
    imageBytes.resize((imageBytes.size() + 63) / 64 * 64);
    program::Image i = {};
    i.kind = kind;
    i.fallback = program::kNone;
    i.chip = str(chip);
    i.offset = imageBytes.size();
    i.bytes = bytes.size();
    for (char c : bytes)
      imageBytes.push_back(static_cast<std::byte>(c));
    images.push_back(i);
    return static_cast<uint32_t>(images.size() - 1);
  }
  /// A kernel of a program for target cuda, launched as one block unless its
  /// record in gpuKernels is changed.
  uint32_t gpuKernel(const std::string &symbol, uint32_t image, uint32_t in,
                     uint32_t out, uint32_t scalars = 0) {
    program::Kernel k = {};
    k.symbol = k.name = str(symbol);
    k.numInputs = in;
    k.numOutputs = out;
    k.numScalars = scalars;
    k.numChunks = 1;
    kernels.push_back(k);
    gpuKernels.push_back(
        {k.symbol, image, program::kNone, {1, 1, 1}, 32, {1, 1, 1}, 0, 0, 0, 0, 0});
    target = "cuda";
    return static_cast<uint32_t>(kernels.size() - 1);
  }
  void add(program::Opcode opcode, std::vector<int64_t> ops,
           const std::string &loc = "test.mlir:1:1", uint16_t stream = 0) {
    program::Instruction i = {};
    i.opcode = opcode;
    i.stream = stream;
    i.firstOperand = static_cast<uint32_t>(operands.size());
    i.numOperands = static_cast<uint32_t>(ops.size());
    i.loc = str(loc);
    operands.insert(operands.end(), ops.begin(), ops.end());
    instructions.push_back(i);
  }
  /// Ends a block that began at instruction `first`; its number.
  uint32_t block(size_t first) {
    blocks.push_back({static_cast<uint32_t>(first),
                      static_cast<uint32_t>(instructions.size() - first)});
    return static_cast<uint32_t>(blocks.size() - 1);
  }

  std::vector<uint64_t> table(uint32_t mainBlock) {
    program::Header h = {};
    std::string body;
    auto put = [&](program::Section section, const void *data, size_t size,
                   size_t count) {
      body.resize((body.size() + 7) / 8 * 8);
      h.sections[static_cast<uint32_t>(section)] = {sizeof(h) + body.size(),
                                                    count};
      body.append(static_cast<const char *>(data), size * count);
    };
    auto all = [&](program::Section section, auto &v) {
      put(section, v.data(), sizeof(v[0]), v.size());
    };
    h.entry = str("main");
    h.target = str(target);
    h.chip = str(chip);
    using program::Section;
    std::vector<double> none;
    all(Section::Strings, strings);
    all(Section::Ints, ints);
    all(Section::Operands, operands);
    all(Section::Types, types);
    all(Section::MeshAxes, axes);
    all(Section::Digits, digits);
    all(Section::Groups, groups);
    all(Section::ShardDims, shardDims);
    all(Section::Shardings, shardings);
    all(Section::Slots, slots);
    all(Section::Kernels, kernels);
    all(Section::Images, images);
    all(Section::GpuKernels, gpuKernels);
    all(Section::Arguments, arguments);
    all(Section::Results, results);
    all(Section::Checks, checks);
    all(Section::Instructions, instructions);
    all(Section::Blocks, blocks);
    body.resize((body.size() + 7) / 8 * 8);
    for (program::Range &r : h.sections)
      if (r.offset == 0)
        r.offset = sizeof(h);
    std::memcpy(h.magic, program::kMagic, 8);
    h.version = program::kVersion;
    h.headerSize = sizeof(h);
    h.size = sizeof(h) + body.size();
    h.numRanks = static_cast<uint64_t>(ranks);
    h.arenaBytes = arena;
    h.hostBytes = host;
    h.imagesBytes = imageBytes.size();
    h.mainBlock = mainBlock;
    h.numRegisters = registers;
    h.numEvents = events;
    h.numStreams = streams;
    std::string whole(reinterpret_cast<char *>(&h), sizeof(h));
    whole += body;
    h.checksum = program::checksum(whole.data() + 32, whole.size() - 32);
    std::memcpy(whole.data(), &h, sizeof(h));
    std::vector<uint64_t> result(whole.size() / 8);
    std::memcpy(result.data(), whole.data(), whole.size());
    return result;
  }
  Result<Package> package(uint32_t mainBlock) {
    return Package::fromTable(table(mainBlock), {}, functions, imageBytes);
  }
};

inline HostTensor tensor(DType type, std::vector<int64_t> shape,
                         std::vector<double> values) {
  HostTensor t{type, shape,
               AlignedBuffer(static_cast<size_t>(numBytes(type, shape)))};
  for (size_t i = 0; i < values.size(); ++i)
    fromDouble(type, values[i],
               t.data() + static_cast<int64_t>(i) * byteSize(type));
  return t;
}
inline std::vector<double> values(const HostTensor &t) {
  std::vector<double> v;
  for (int64_t i = 0; i < t.elements(); ++i)
    v.push_back(toDouble(t.type, t.data() + i * byteSize(t.type)));
  return v;
}

} // namespace shoal::rt

#endif // SHOAL_TEST_UNIT_RUNTIME_TESTPROGRAM_H
