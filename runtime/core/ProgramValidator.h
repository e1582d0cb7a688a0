// The state of program::validate: what has been checked of a table so far, and
// the first thing that is wrong. Tables and memory are checked in
// ProgramValidate.cpp, instructions in ProgramValidateCode.cpp.
#ifndef SHOAL_RUNTIME_CORE_PROGRAMVALIDATOR_H
#define SHOAL_RUNTIME_CORE_PROGRAMVALIDATOR_H

#include "shoal/runtime/Program.h"

#include <vector>

namespace shoal::program {

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
  template <typename T>
  std::span<const T> all(Section s) const {
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
    return (s.offset == 0 && s.length == 0) ||
           fail("a string lies outside the pool");
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
  bool checkGpu();
  bool checkEntry();
  bool checkInstruction(const Instruction &in);
  bool checkCollective(const Instruction &in, std::span<const int64_t> ops);
  bool checkBlock(uint32_t block, unsigned depth);

  // Operands.
  bool slot(int64_t s) {
    return s >= 0 && index(static_cast<uint64_t>(s), Section::Slots, "slot") &&
           (copies || !isHost(s) ||
            fail("an instruction other than a copy uses the host's memory"));
  }
  bool isHost(int64_t s) const {
    return view.slots()[static_cast<size_t>(s)].kind == SlotKind::Host;
  }
  bool copies = false; ///< the instruction may use the host's memory
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
  bool fits(std::initializer_list<int64_t> factors, int64_t s,
            const char *what) {
    uint64_t n;
    if (!product(factors, n))
      return false;
    return n <= slotBytes(s) ||
           fail(std::string(what) + " reaches outside its slot");
  }

  std::vector<uint8_t> blockState; // 0 unseen, 1 open, 2 done
};

} // namespace shoal::program

#endif // SHOAL_RUNTIME_CORE_PROGRAMVALIDATOR_H
