// program::validate: everything a reader of a program table relies on. The table
// may come from a damaged or malicious file; nothing is used before it is checked.
#include "shoal/runtime/Program.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstring>
#include <vector>

namespace shoal::program {

uint64_t checksum(const void *data, size_t size) { return XXH64(data, size, 0); }

namespace {

/// Sizes of the records of each section, in order.
constexpr uint32_t kRecordSizes[kNumSections] = {
    1,                     // Strings
    sizeof(int64_t),       // Ints
    sizeof(double),        // Doubles
    sizeof(int64_t),       // Operands
    sizeof(Type),          sizeof(Quantization), sizeof(MeshAxis),
    sizeof(int64_t),       // DeviceIds
    sizeof(Digit),         sizeof(Group),        sizeof(ShardDim),
    sizeof(Sharding),      sizeof(Slot),         sizeof(Constant),
    sizeof(Kernel),        sizeof(Argument),     sizeof(Result),
    sizeof(CustomCall),    sizeof(struct Check), sizeof(Instruction),
    sizeof(Block)};

const char *const kSectionNames[kNumSections] = {
    "strings",  "integers",  "doubles",   "operands",    "types",
    "quantizations", "mesh axes", "device ids", "digits", "groups",
    "shard dimensions", "shardings", "slots", "constants", "kernels",
    "arguments", "results", "custom calls", "checks", "instructions", "blocks"};

/// The largest number of ranks that is accepted.
constexpr uint64_t kMaxRanks = 65536;
/// Loops and branches deeper than this are refused.
constexpr unsigned kMaxDepth = 256;

struct Validator {
  const char *base;
  const Header &header;
  View view;
  std::string error;

  explicit Validator(const void *data)
      : base(static_cast<const char *>(data)),
        header(*static_cast<const Header *>(data)), view(data) {}

  bool fail(const std::string &what) {
    if (error.empty())
      error = what;
    return false;
  }
  template <typename T> std::span<const T> all(Section s) const {
    return view.section<T>(s);
  }
  uint64_t count(Section s) const {
    return header.sections[static_cast<uint32_t>(s)].count;
  }
  bool index(uint64_t i, Section s, const char *what) {
    if (i < count(s))
      return true;
    return fail(std::string(what) + " " + std::to_string(i) +
                " does not exist (there are " + std::to_string(count(s)) + ")");
  }
  bool str(Str s) {
    // A NUL stands after each string.
    if (s.offset <= count(Section::Strings) &&
        s.length < count(Section::Strings) - s.offset)
      return base[header.sections[0].offset + s.offset + s.length] == 0 ||
             fail("a string does not end where it should");
    return (s.offset == 0 && s.length == 0) || fail("a string lies outside the pool");
  }
  bool range(uint64_t first, uint64_t n, Section s, const char *what) {
    return (first <= count(s) && n <= count(s) - first) ||
           fail(std::string(what) + " lie outside their pool");
  }

  /// Bytes of a type whose record has been checked.
  uint64_t bytes(uint32_t type) const {
    const Type &t = view.type(type);
    uint64_t n = static_cast<uint64_t>(rt::byteSize(t.dtype));
    for (int64_t d : view.ints(t.shape))
      n *= static_cast<uint64_t>(d);
    return n;
  }

  bool checkHeader(size_t size);
  bool checkTypes();
  bool checkMesh();
  bool checkMemory();
  bool checkEntry();
  bool checkInstruction(const Instruction &in);
  bool checkCollective(const Instruction &in, std::span<const int64_t> ops);
  bool checkBlock(uint32_t block, unsigned depth);

  // Operands.
  bool slot(int64_t s) {
    return (s >= 0 && index(static_cast<uint64_t>(s), Section::Slots, "slot"));
  }
  bool slotOf(int64_t s, const char *what) {
    return slot(s) || fail(std::string("bad slot for ") + what);
  }
  bool writable(int64_t s) {
    if (!slot(s))
      return fail("bad slot");
    // Through views down to what they are of.
    uint32_t i = static_cast<uint32_t>(s);
    while (view.slots()[i].kind == SlotKind::View)
      i = view.slots()[i].ref;
    if (view.slots()[i].kind == SlotKind::Constant)
      return fail("an instruction writes to a constant");
    if (view.slots()[i].kind == SlotKind::Argument &&
        !all<Argument>(Section::Arguments)[view.slots()[i].ref].donated)
      return fail("an instruction writes to an argument that is not donated");
    return true;
  }
  bool handle(int64_t s) {
    if (!slot(s))
      return fail("bad slot");
    return view.slots()[static_cast<size_t>(s)].kind == SlotKind::Handle ||
           fail("an instruction sets a slot that is no handle");
  }
  bool reg(int64_t r) {
    return (r >= 0 && r < static_cast<int64_t>(header.numRegisters)) ||
           fail("register " + std::to_string(r) + " does not exist");
  }
  bool event(int64_t e) {
    return (e >= 0 && e < static_cast<int64_t>(header.numEvents)) ||
           fail("event " + std::to_string(e) + " does not exist");
  }
  uint64_t slotBytes(int64_t s) const {
    return view.slots()[static_cast<size_t>(s)].bytes;
  }
  bool product(std::initializer_list<int64_t> factors, uint64_t &result) {
    unsigned __int128 n = 1;
    for (int64_t f : factors) {
      if (f < 0)
        return fail("a size is negative");
      n *= static_cast<uint64_t>(f);
      if (n > INT64_MAX)
        return fail("a size overflows");
    }
    result = static_cast<uint64_t>(n);
    return true;
  }
  bool fits(std::initializer_list<int64_t> factors, int64_t s, const char *what) {
    uint64_t n;
    if (!product(factors, n))
      return false;
    return n <= slotBytes(s) ||
           fail(std::string(what) + " reaches outside its slot");
  }

  std::vector<uint8_t> blockState; // 0 unseen, 1 open, 2 done
};

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
    if (r.offset % 8 != 0 || r.offset < sizeof(Header) || r.offset > header.size ||
        r.count > (header.size - r.offset) / kRecordSizes[i])
      return fail(std::string("section of ") + kSectionNames[i] +
                  " lies outside the table");
  }
  if (header.numRanks < 1 || header.numRanks > kMaxRanks)
    return fail("a mesh of " + std::to_string(header.numRanks) +
                " devices; at most 65536 are supported");
  if (header.numStreams < 1 || header.numStreams > 65535)
    return fail("bad number of streams");
  if (header.arenaBytes > INT64_MAX || header.constantsBytes > INT64_MAX)
    return fail("sizes overflow");
  return str(header.entry) && str(header.target) && str(header.chip) &&
         str(header.features) && str(header.producer) && str(header.report);
}

bool Validator::checkTypes() {
  for (const Quantization &q : all<Quantization>(Section::Quantizations)) {
    if (!(rt::isValid(q.storage) && rt::isInteger(q.storage)) ||
        !rt::isValid(q.expressed) ||
        !range(q.firstScale, q.numScales, Section::Doubles, "scales") ||
        !range(q.zeroPoints.first, q.zeroPoints.count, Section::Ints, "zero points"))
      return fail("a quantization is malformed");
    if (q.numScales < 1 || q.zeroPoints.count != q.numScales || q.dimension < -1)
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
        static_cast<uint64_t>(d.size) > header.numRanks / static_cast<uint64_t>(d.stride))
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
              static_cast<uint64_t>(g.numGroups) != g.table.count)
        return fail("a group table is not rectangular");
      std::vector<bool> seen(header.numRanks);
      for (int64_t r : view.ints(g.table)) {
        if (r < 0 || r >= static_cast<int64_t>(header.numRanks) ||
            seen[static_cast<size_t>(r)])
          return fail("a group table names a rank twice, or one that is not there");
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
        (c.sharding != kNone && !index(c.sharding, Section::Shardings, "sharding")))
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
      return fail("slot " + std::to_string(i) + " has another size than its type");
    switch (s.kind) {
    case SlotKind::Arena:
      if (s.offset < 0 || s.offset % static_cast<int64_t>(kBufferAlignment) != 0 ||
          static_cast<uint64_t>(s.offset) > header.arenaBytes ||
          s.bytes > header.arenaBytes - static_cast<uint64_t>(s.offset))
        return fail("slot " + std::to_string(i) + " lies outside the arena");
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
      if (s.ref >= i || slots[s.ref].kind == SlotKind::Handle)
        return fail("slot " + std::to_string(i) + " is a view of none before it");
      if (s.offset < 0 || static_cast<uint64_t>(s.offset) > slots[s.ref].bytes ||
          s.bytes > slots[s.ref].bytes - static_cast<uint64_t>(s.offset))
        return fail("slot " + std::to_string(i) + " reaches outside what it views");
      break;
    case SlotKind::Handle:
      break;
    default:
      return fail("slot " + std::to_string(i) + " is of no known kind");
    }
  }
  for (const Kernel &k : all<Kernel>(Section::Kernels)) {
    if (!str(k.symbol) || !str(k.name) || !str(k.loc))
      return false;
    if (k.symbol.length == 0 || k.numChunks < 1 || k.scratchBytes < 0 ||
        k.numInputs > 65536 || k.numOutputs > 65536 || k.numScalars > 65536)
      return fail("a kernel is malformed");
  }
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
    if (s.kind != SlotKind::Argument || s.ref != i || s.bytes != bytes(a.localType))
      return fail("argument " + std::to_string(i) + " has a slot of another kind");
    if (a.donated > 1 ||
        (a.aliasResult != kNone && !index(a.aliasResult, Section::Results, "result")))
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
      return fail("result " + std::to_string(i) + " has a slot of another kind");
    if (s.bytes != bytes(r.localType))
      return fail("result " + std::to_string(i) + " has a slot of another size");
  }
  return true;
}

bool Validator::checkCollective(const Instruction &in,
                                std::span<const int64_t> ops) {
  // kind, group, reduction, n, in[n], out[n], params
  if (ops.size() < 4)
    return fail("a collective has too few operands");
  int64_t kind = ops[0], reduction = ops[2], n = ops[3];
  if (kind < 0 || kind > static_cast<int64_t>(CollectiveKind::Last))
    return fail("unknown kind of collective");
  if (ops[1] < 0 || !index(static_cast<uint64_t>(ops[1]), Section::Groups, "group"))
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
  bool reduces = k == CollectiveKind::AllReduce || k == CollectiveKind::ReduceScatter;
  if (reduces != (reduction != 0))
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
    return expect(3) && params[1] >= 0 && params[2] <= params[1] * p &&
           fits({params[0], params[1]}, ins[0], "a gathered block") &&
           fits({params[0], params[2]}, outs[0], "a gathered tensor") && n == 1
               ? true
               : fail("a gather is malformed");
  case CollectiveKind::ReduceScatter:
    return expect(3) && params[2] >= 0 && params[1] <= params[2] * p &&
           fits({params[0], params[1]}, ins[0], "a reduced tensor") &&
           fits({params[0], params[2]}, outs[0], "a scattered block") && n == 1
               ? true
               : fail("a scatter is malformed");
  case CollectiveKind::AllReduce:
    for (size_t i = 0; i < ins.size(); ++i)
      if (slotBytes(ins[i]) != slotBytes(outs[i]))
        return fail("a reduction has unlike input and output");
    return expect(0);
  case CollectiveKind::AllToAll: {
    uint64_t a, b;
    return expect(6) && n == 1 && params[2] >= 0 && params[5] >= 0 &&
           product({params[0], params[2]}, a) && product({params[3], params[5]}, b) &&
           a == b && params[1] <= params[2] * p && params[4] <= params[5] * p &&
           fits({params[0], params[1]}, ins[0], "an exchanged tensor") &&
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
        !(params[8] == 0 || params[8] == 1 || params[8] == 2 || params[8] == 4 ||
          params[8] == 8 || params[8] == 16) ||
        params[5] < -(int64_t{1} << 40) || params[5] > (int64_t{1} << 40) ||
        params[6] < -(int64_t{1} << 40) || params[6] > (int64_t{1} << 40))
      return fail("a reblock is malformed");
    return fits({params[0], params[1], params[2]}, ins[0], "a block") &&
           fits({params[0], params[1], params[3]}, outs[0], "a block");
  case CollectiveKind::RaggedAllToAll:
    return expect(3) && fits({params[0], params[1]}, ins[0], "a ragged input") &&
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
  case Opcode::SAdd: case Opcode::SSub: case Opcode::SMul: case Opcode::SDiv:
  case Opcode::SRem: case Opcode::SMin: case Opcode::SMax: case Opcode::SAnd:
  case Opcode::SOr: case Opcode::SXor: case Opcode::SUDiv: case Opcode::SURem:
    return expect(3) && reg(ops[0]) && reg(ops[1]) && reg(ops[2]);
  case Opcode::SCompare: case Opcode::SUCompare:
    return expect(4) && reg(ops[0]) && reg(ops[2]) && reg(ops[3]) &&
           ((ops[1] >= 0 && ops[1] <= 5) || fail("unknown comparison"));
  case Opcode::SSelect:
    return expect(4) && reg(ops[0]) && reg(ops[1]) && reg(ops[2]) && reg(ops[3]);
  case Opcode::SWrap: {
    if (!expect(4) || !reg(ops[0]) || !reg(ops[1]))
      return false;
    int64_t b = ops[2];
    return (b >= 1 && b <= 64 && (b & (b - 1)) == 0 && (ops[3] == 0 || ops[3] == 1)) ||
           fail("bad width of a scalar");
  }
  case Opcode::SRank:
    return expect(1) && reg(ops[0]);
  case Opcode::SRead: case Opcode::SWrite: {
    if (!expect(2))
      return false;
    bool read = in.opcode == Opcode::SRead;
    int64_t r = read ? ops[0] : ops[1], s = read ? ops[1] : ops[0];
    if (!reg(r) || !slotOf(s, "a scalar") || (!read && !writable(s)))
      return false;
    const Slot &sl = view.slots()[static_cast<size_t>(s)];
    DType d = view.type(sl.type).dtype;
    return (rt::isInteger(d) && sl.bytes == static_cast<uint64_t>(rt::byteSize(d))) ||
           fail("a host scalar is read from or written to what is no integer");
  }
  case Opcode::SMove: case Opcode::Handles: {
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
  case Opcode::Copy:
    if (!expect(2) || !writable(ops[0]) || !slotOf(ops[1], "a copy"))
      return false;
    return slotBytes(ops[0]) == slotBytes(ops[1]) ||
           fail("a copy has unlike source and destination");
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
    const Kernel &k = all<Kernel>(Section::Kernels)[static_cast<size_t>(ops[0])];
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
          last[s] += static_cast<unsigned __int128>(static_cast<uint64_t>(ops[i] - 1)) *
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
        !index(static_cast<uint64_t>(ops[0]), Section::CustomCalls, "custom call"))
      return fail("an instruction calls nothing");
    if (ops[1] < 0 || ops[2] < 0 || ops[1] > 65536 || ops[2] > 65536 ||
        ops.size() != 3 + static_cast<size_t>(ops[1]) + static_cast<size_t>(ops[2]))
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
  case Opcode::CollectiveDone: case Opcode::Record: case Opcode::Wait:
    return expect(1) && event(ops[0]);
  case Opcode::For:
    return expect(5) && reg(ops[0]) && reg(ops[1]) && reg(ops[2]) && reg(ops[3]) &&
           ops[4] >= 0 && index(static_cast<uint64_t>(ops[4]), Section::Blocks, "block");
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

} // namespace

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
