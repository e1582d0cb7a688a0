// What backends share about single instructions besides the Cursor: slots that
// move, integers in buffers, and names for messages.
#ifndef SHOAL_RUNTIME_CORE_INSTRUCTIONS_H
#define SHOAL_RUNTIME_CORE_INSTRUCTIONS_H

#include "shoal/runtime/Cursor.h"
#include "shoal/runtime/Run.h"

#include <optional>
#include <string>
#include <vector>

namespace shoal::rt {

/// Executes View and Handles: `slots` are addresses in whatever memory the
/// backend has. False: it is wrong, and `why` says how.
bool setSlots(const program::View &program, const program::Instruction &i,
              const Cursor &cursor, std::vector<std::byte *> &slots,
              std::string &why);

/// What a Copy copies, between addresses in whatever memory each of the two is.
/// Empty: it reaches outside a slot, and `why` says so.
struct CopyParts {
  std::byte *to;
  std::byte *from;
  size_t bytes;
  bool toHost, fromHost;
};
std::optional<CopyParts> partsOfCopy(const program::View &program,
                                     const program::Instruction &i,
                                     const Cursor &cursor,
                                     const std::vector<std::byte *> &slots,
                                     std::string &why);

/// One element of an integer type, as SWrite stores it: truncated to the type.
/// Returns the bytes written to `to`, at most 8.
size_t storeInteger(program::DType type, int64_t value, std::byte *to);

/// What a kernel or product does each time. `bytes`: that it reads and writes;
/// `flops`: of matrix products and convolutions only, two per multiply-add.
struct Work {
  double bytes = 0, flops = 0;
  std::string_view type;     ///< of the product's operands: "bf16"
  ProductShape product = {}; ///< of a matrix product
  bool reduces = false;      ///< a collective that adds up what it sends
};
Work workOf(const program::View &program, const program::Instruction &i);

// Names for messages.
/// "kernel 'add_tanh'", "all_reduce over \"dp\"". `eventGroups` has the group
/// of each event's collective.
std::string nameOf(const program::View &program, const program::Instruction &i,
                   std::span<const uint32_t> eventGroups);
/// The group's axes in quotes.
std::string groupName(const program::View &program, uint32_t group);
/// " (model.mlir:3:8)", or nothing.
std::string locationOf(const program::View &program,
                       const program::Instruction &i);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_CORE_INSTRUCTIONS_H
