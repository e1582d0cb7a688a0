// program::validate: everything a reader of a program table relies on. The
// table may come from a damaged or malicious file; nothing is used before it is
// checked.
#include "ProgramValidator.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstring>

namespace shoal::program {

uint64_t checksum(const void *data, size_t size) {
  return XXH64(data, size, 0);
}

namespace {

/// Sizes of the records of each section, in order.
constexpr uint32_t kRecordSizes[kNumSections] = {1,               // Strings
                                                 sizeof(int64_t), // Ints
                                                 sizeof(double),  // Doubles
                                                 sizeof(int64_t), // Operands
                                                 sizeof(Type),
                                                 sizeof(Quantization),
                                                 sizeof(MeshAxis),
                                                 sizeof(int64_t), // DeviceIds
                                                 sizeof(Digit),
                                                 sizeof(Group),
                                                 sizeof(ShardDim),
                                                 sizeof(Sharding),
                                                 sizeof(Slot),
                                                 sizeof(Constant),
                                                 sizeof(Kernel),
                                                 sizeof(Argument),
                                                 sizeof(Result),
                                                 sizeof(CustomCall),
                                                 sizeof(struct Check),
                                                 sizeof(Instruction),
                                                 sizeof(Block),
                                                 sizeof(Image),
                                                 sizeof(GpuKernel)};

const char *const kSectionNames[kNumSections] = {
    "strings", "integers",      "doubles",          "operands",
    "types",   "quantizations", "mesh axes",        "device ids",
    "digits",  "groups",        "shard dimensions", "shardings",
    "slots",   "constants",     "kernels",          "arguments",
    "results", "custom calls",  "checks",           "instructions",
    "blocks",  "images",        "GPU kernels"};

/// The largest number of ranks that is accepted.
constexpr uint64_t kMaxRanks = 65536;

} // namespace

bool Validator::checkHeader(size_t size) {
  if (size < sizeof(Header))
    return fail("the table is truncated");
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0)
    return fail("the table does not start with its mark");
  if (header.version != kVersion)
    return fail("version " + std::to_string(header.version) +
                " of the program table; this runtime reads version " +
                std::to_string(kVersion) + ": compile the model again");
  if (header.headerSize != sizeof(Header))
    return fail("the header has another size");
  if (header.size < sizeof(Header) || header.size > size)
    return fail("the table is truncated");
  if (checksum(base + 32, header.size - 32) != header.checksum)
    return fail("the table's checksum does not match");
  for (uint32_t i = 0; i < kNumSections; ++i) {
    const Range &r = header.sections[i];
    if (r.offset % 8 != 0 || r.offset < sizeof(Header) ||
        r.offset > header.size ||
        r.count > (header.size - r.offset) / kRecordSizes[i])
      return fail(std::string("section of ") + kSectionNames[i] +
                  " lies outside the table");
  }
  if (header.numRanks < 1 || header.numRanks > kMaxRanks)
    return fail("a mesh of " + std::to_string(header.numRanks) +
                " devices; at most 65536 are supported");
  if (header.numStreams < 1 || header.numStreams > 65535)
    return fail("bad number of streams");
  if (header.arenaBytes > INT64_MAX || header.constantsBytes > INT64_MAX ||
      header.imagesBytes > INT64_MAX || header.hostBytes > INT64_MAX)
    return fail("sizes overflow");
  return str(header.entry) && str(header.target) && str(header.chip) &&
         str(header.features) && str(header.producer) && str(header.report);
}

bool Validator::checkTypes() {
  for (const Quantization &q : all<Quantization>(Section::Quantizations)) {
    if (!(rt::isValid(q.storage) && rt::isInteger(q.storage)) ||
        !rt::isValid(q.expressed) ||
        !range(q.firstScale, q.numScales, Section::Doubles, "scales") ||
        !range(q.zeroPoints.first, q.zeroPoints.count, Section::Ints,
               "zero points"))
      return fail("a quantization is malformed");
    if (q.numScales < 1 || q.zeroPoints.count != q.numScales ||
        q.dimension < -1)
      return fail("a quantization is malformed");
  }
  for (const Type &t : all<Type>(Section::Types)) {
    if (static_cast<int>(t.dtype) >= rt::numDTypes)
      return fail("unknown element type");
    if (t.quantization != kNone &&
        !index(t.quantization, Section::Quantizations, "quantization"))
      return false;
    if (!range(t.shape.first, t.shape.count, Section::Ints, "dimensions"))
      return false;
    unsigned __int128 n = static_cast<unsigned>(rt::byteSize(t.dtype));
    bool empty = false;
    for (int64_t d : view.ints(t.shape)) {
      if (d < 0)
        return fail("a dimension is negative");
      empty |= d == 0;
      n *= d == 0 ? 1u : static_cast<uint64_t>(d);
      if (n > INT64_MAX && !empty)
        return fail("a tensor's bytes overflow 63 bits");
      if (n > INT64_MAX)
        n = 1; // Empty anyway.
    }
    if (t.quantization != kNone) {
      const Quantization &q =
          all<Quantization>(Section::Quantizations)[t.quantization];
      if (q.dimension >= static_cast<int64_t>(t.shape.count) ||
          (q.dimension >= 0 &&
           view.ints(t.shape)[static_cast<size_t>(q.dimension)] != q.numScales))
        return fail("a quantization does not fit its tensor");
    }
  }
  return true;
}

bool Validator::checkMesh() {
  unsigned __int128 ranks = 1;
  for (const MeshAxis &axis : all<MeshAxis>(Section::MeshAxes)) {
    if (!str(axis.name) || axis.size < 1 ||
        (ranks *= static_cast<uint64_t>(axis.size)) > kMaxRanks)
      return fail("a mesh axis is malformed");
  }
  if (ranks != header.numRanks)
    return fail("the mesh has another number of devices than the program");
  if (uint64_t n = count(Section::DeviceIds); n && n != header.numRanks)
    return fail("device ids do not match the number of devices");
  for (const Digit &d : all<Digit>(Section::Digits))
    if (d.size < 1 || d.stride < 1 ||
        static_cast<uint64_t>(d.size) >
            header.numRanks / static_cast<uint64_t>(d.stride))
      return fail("a digit lies outside the rank");
  for (const Group &g : all<Group>(Section::Groups)) {
    if (!str(g.name) ||
        !range(g.firstDigit, g.numDigits, Section::Digits, "digits") ||
        !range(g.table.first, g.table.count, Section::Ints, "ranks"))
      return false;
    if (g.groupSize < 1 || g.numGroups < 1)
      return fail("a group is empty");
    if (g.table.count) {
      if (static_cast<unsigned __int128>(g.groupSize) *
              static_cast<uint64_t>(g.numGroups) !=
          g.table.count)
        return fail("a group table is not rectangular");
      std::vector<bool> seen(header.numRanks);
      for (int64_t r : view.ints(g.table)) {
        if (r < 0 || r >= static_cast<int64_t>(header.numRanks) ||
            seen[static_cast<size_t>(r)])
          return fail(
              "a group table names a rank twice, or one that is not there");
        seen[static_cast<size_t>(r)] = true;
      }
    } else {
      int64_t n = 1;
      auto digits = view.digits(g.firstDigit, g.numDigits);
      for (size_t i = 0; i < digits.size(); ++i) {
        n *= digits[i].size;
        if (n > static_cast<int64_t>(kMaxRanks))
          return fail("a group is too large");
        for (size_t j = 0; j < i; ++j) {
          const Digit &a = digits[i], &b = digits[j];
          if (a.stride < b.stride * b.size && b.stride < a.stride * a.size)
            return fail("digits of a group overlap");
        }
      }
      if (n != g.groupSize ||
          static_cast<uint64_t>(n) * static_cast<uint64_t>(g.numGroups) !=
              header.numRanks)
        return fail("a group's size does not match its digits");
    }
  }
  for (const ShardDim &d : all<ShardDim>(Section::ShardDims)) {
    if (!range(d.firstDigit, d.numDigits, Section::Digits, "digits"))
      return false;
    int64_t n = 1;
    for (const Digit &digit : view.digits(d.firstDigit, d.numDigits))
      if ((n *= digit.size) > static_cast<int64_t>(kMaxRanks))
        return fail("a dimension is cut into too many parts");
    if (d.parts != n || d.block < 0)
      return fail("the parts of a dimension do not match its digits");
  }
  for (const Sharding &s : all<Sharding>(Section::Shardings))
    if (!str(s.text) ||
        !range(s.firstDim, s.numDims, Section::ShardDims, "dimensions") ||
        (s.onlyRank != kNone && s.onlyRank >= header.numRanks))
      return fail("a sharding is malformed");
  return true;
}

bool Validator::checkMemory() {
  for (const Constant &c : all<Constant>(Section::Constants)) {
    if (!index(c.type, Section::Types, "type") ||
        (c.sharding != kNone &&
         !index(c.sharding, Section::Shardings, "sharding")))
      return false;
    if (c.bytes != bytes(c.type) || c.offset % kBufferAlignment != 0 ||
        c.offset > header.constantsBytes ||
        c.bytes > header.constantsBytes - c.offset)
      return fail("a constant lies outside its section");
  }
  auto slots = view.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot &s = slots[i];
    if (!index(s.type, Section::Types, "type") || !str(s.name))
      return false;
    if (s.bytes != bytes(s.type))
      return fail("slot " + std::to_string(i) +
                  " has another size than its type");
    switch (s.kind) {
    case SlotKind::Arena:
      if (s.offset < 0 ||
          s.offset % static_cast<int64_t>(kBufferAlignment) != 0 ||
          static_cast<uint64_t>(s.offset) > header.arenaBytes ||
          s.bytes > header.arenaBytes - static_cast<uint64_t>(s.offset))
        return fail("slot " + std::to_string(i) + " lies outside the arena");
      break;
    case SlotKind::Host:
      if (s.offset < 0 ||
          s.offset % static_cast<int64_t>(kBufferAlignment) != 0 ||
          static_cast<uint64_t>(s.offset) > header.hostBytes ||
          s.bytes > header.hostBytes - static_cast<uint64_t>(s.offset))
        return fail("slot " + std::to_string(i) +
                    " lies outside the host's memory");
      break;
    case SlotKind::Argument:
      if (!index(s.ref, Section::Arguments, "argument"))
        return false;
      break;
    case SlotKind::Result:
      if (!index(s.ref, Section::Results, "result"))
        return false;
      break;
    case SlotKind::Constant:
      if (!index(s.ref, Section::Constants, "constant"))
        return false;
      break;
    case SlotKind::View:
      if (s.ref >= i || slots[s.ref].kind == SlotKind::Handle ||
          slots[s.ref].kind == SlotKind::Host)
        return fail("slot " + std::to_string(i) +
                    " is a view of none before it");
      if (s.offset < 0 ||
          static_cast<uint64_t>(s.offset) > slots[s.ref].bytes ||
          s.bytes > slots[s.ref].bytes - static_cast<uint64_t>(s.offset))
        return fail("slot " + std::to_string(i) +
                    " reaches outside what it views");
      break;
    case SlotKind::Handle:
      break;
    default:
      return fail("slot " + std::to_string(i) + " is of no known kind");
    }
  }
  for (const Kernel &k : all<Kernel>(Section::Kernels)) {
    if (!str(k.symbol) || !str(k.name) || !str(k.loc) || !str(k.library))
      return false;
    if (k.symbol.length == 0 || k.numChunks < 1 || k.scratchBytes < 0 ||
        k.numInputs > 65536 || k.numOutputs > 65536 || k.numScalars > 65536)
      return fail("a kernel is malformed");
  }
  if (!checkGpu())
    return false;
  for (const CustomCall &c : all<CustomCall>(Section::CustomCalls))
    if (!str(c.target) || !str(c.config))
      return false;
  for (const struct Check &c : all<struct Check>(Section::Checks)) {
    if (c.kind > CheckKind::SerializedEq)
      return fail("unknown kind of check");
    if (!str(c.message) || !str(c.expectedFile))
      return false;
    for (uint32_t s : {c.actualSharding, c.expectedSharding})
      if (s != kNone && !index(s, Section::Shardings, "sharding"))
        return false;
    for (uint32_t t : {c.actualGlobalType, c.expectedGlobalType})
      if (t != kNone && !index(t, Section::Types, "type"))
        return false;
  }
  return true;
}

bool Validator::checkGpu() {
  auto images = all<Image>(Section::Images);
  for (const Image &image : images) {
    if (!str(image.chip))
      return false;
    if (image.kind > ImageKind::Host || image.offset % kImageAlignment != 0 ||
        image.offset > header.imagesBytes ||
        image.bytes > header.imagesBytes - image.offset || image.bytes == 0)
      return fail("an image of device code lies outside its section");
    if (image.fallback != kNone &&
        (!index(image.fallback, Section::Images, "image") ||
         image.kind != ImageKind::Cubin ||
         images[image.fallback].kind != ImageKind::Ptx))
      return fail("an image's fallback is not PTX");
  }
  auto gpu = all<GpuKernel>(Section::GpuKernels);
  if (!gpu.empty() && gpu.size() < count(Section::Kernels))
    return fail("not every kernel has GPU code");
  for (size_t i = 0; i < gpu.size(); ++i) {
    const GpuKernel &k = gpu[i];
    auto bad = [&](const char *what) {
      return fail("GPU kernel " + std::to_string(i) + " has " + what);
    };
    if (!index(k.image, Section::Images, "image") || !str(k.symbol))
      return false;
    if (k.symbol.length == 0)
      return bad("no symbol");
    // Higher numbers only, so that no chain closes.
    if (k.next != kNone &&
        (k.next <= i || k.next < count(Section::Kernels) ||
         k.next >= gpu.size() ||
         gpu[k.next].scratchBytes != k.scratchBytes))
      return bad("a next launch that is none");
    if (k.grid[0] < 1 || k.grid[0] > 0x7fffffffu || k.grid[1] < 1 ||
        k.grid[1] > kMaxGridY || k.grid[2] < 1 || k.grid[2] > kMaxGridY)
      return bad("a grid that no chip can launch");
    if (k.block < 1 || k.block > kMaxBlockThreads)
      return bad("more threads in a block than any chip can launch, or none");
    uint64_t cluster = 1;
    for (unsigned d = 0; d < 3; ++d) {
      if (k.cluster[d] < 1 || k.cluster[d] > kMaxCluster ||
          k.grid[d] % k.cluster[d] != 0)
        return bad("clusters that do not divide its grid");
      cluster *= k.cluster[d];
    }
    if (cluster > kMaxCluster)
      return bad("clusters larger than any chip can launch");
    if (k.sharedBytes > kMaxSharedBytes)
      return bad("more shared memory than any chip has");
    if (k.scratchBytes > INT64_MAX || k.flags > 3)
      return bad("malformed launch data");
  }
  return true;
}

bool Validator::checkEntry() {
  auto layout = [&](uint32_t global, uint32_t local, uint32_t sharding,
                    const char *what, size_t i) {
    if (!index(global, Section::Types, "type") ||
        !index(local, Section::Types, "type"))
      return false;
    const Type &g = view.type(global), &l = view.type(local);
    std::string name = std::string(what) + " " + std::to_string(i);
    if (g.dtype != l.dtype || g.shape.count != l.shape.count)
      return fail(name + " has unlike global and local types");
    auto whole = view.ints(g.shape), part = view.ints(l.shape);
    if (sharding == kNone) {
      for (size_t d = 0; d < whole.size(); ++d)
        if (whole[d] != part[d])
          return fail(name + " is cut, but has no sharding");
      return true;
    }
    if (!index(sharding, Section::Shardings, "sharding"))
      return false;
    auto dims = view.dims(all<Sharding>(Section::Shardings)[sharding]);
    if (dims.size() != whole.size())
      return fail(name + " has a sharding of another rank");
    for (size_t d = 0; d < dims.size(); ++d)
      if (dims[d].block != part[d] ||
          static_cast<unsigned __int128>(static_cast<uint64_t>(dims[d].parts)) *
                  static_cast<uint64_t>(dims[d].block) <
              static_cast<uint64_t>(whole[d]))
        return fail(name + " has blocks that do not cover it");
    return true;
  };
  auto slots = view.slots();
  auto args = all<Argument>(Section::Arguments);
  for (size_t i = 0; i < args.size(); ++i) {
    const Argument &a = args[i];
    if (!str(a.name) ||
        !layout(a.globalType, a.localType, a.sharding, "argument", i) ||
        !index(a.slot, Section::Slots, "slot"))
      return false;
    const Slot &s = slots[a.slot];
    if (s.kind != SlotKind::Argument || s.ref != i ||
        s.bytes != bytes(a.localType))
      return fail("argument " + std::to_string(i) +
                  " has a slot of another kind");
    if (a.donated > 1 || (a.aliasResult != kNone &&
                          !index(a.aliasResult, Section::Results, "result")))
      return fail("argument " + std::to_string(i) + " is malformed");
  }
  auto results = all<Result>(Section::Results);
  for (size_t i = 0; i < results.size(); ++i) {
    const Result &r = results[i];
    if (!str(r.name) ||
        !layout(r.globalType, r.localType, r.sharding, "result", i) ||
        !index(r.slot, Section::Slots, "slot"))
      return false;
    const Slot &s = slots[r.slot];
    if (r.aliasArgument == kNone
            ? (s.kind != SlotKind::Result || s.ref != i)
            : (s.kind != SlotKind::Argument || s.ref != r.aliasArgument ||
               !args[s.ref].donated))
      return fail("result " + std::to_string(i) +
                  " has a slot of another kind");
    if (s.bytes != bytes(r.localType))
      return fail("result " + std::to_string(i) +
                  " has a slot of another size");
  }
  return true;
}

std::string validate(const void *data, size_t size) {
  static_assert(std::endian::native == std::endian::little,
                "the table is little-endian");
  if (size < sizeof(Header))
    return "the table is truncated";
  if (reinterpret_cast<uintptr_t>(data) % 8 != 0)
    return "the table is not aligned";
  Validator v(data);
  if (!v.checkHeader(size) || !v.checkTypes() || !v.checkMesh())
    return v.error;
  // Slots and entry refer to one another.
  if (!v.checkMemory() || !v.checkEntry())
    return v.error;
  for (const Block &b : v.all<Block>(Section::Blocks))
    if (!v.range(b.firstInstruction, b.numInstructions, Section::Instructions,
                 "instructions"))
      return v.error;
  if (!v.index(v.header.mainBlock, Section::Blocks, "block"))
    return v.error;
  v.blockState.assign(v.count(Section::Blocks), 0);
  if (!v.checkBlock(v.header.mainBlock, 0))
    return v.error;
  return "";
}

} // namespace shoal::program
