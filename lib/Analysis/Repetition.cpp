// Two ops are alike here if they are of one kind, with the same types and
// properties: what they work on need not be known, since nothing is taken for
// anything else.
#include "shoal/Analysis/Repetition.h"

#include "shoal/Analysis/OpCosts.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/Hashing.h"

#include <map>
#include <vector>

using namespace mlir;
using namespace shoal;

std::optional<Repetition> shoal::findRepetition(Block &block) {
  llvm::DenseMap<Operation *, unsigned> positions;
  std::vector<Operation *> ops;
  for (Operation &op : block.without_terminator()) {
    positions[&op] = ops.size();
    ops.push_back(&op);
  }
  unsigned n = ops.size();
  std::vector<llvm::hash_code> kinds(n, llvm::hash_code(0));
  for (unsigned i = 0; i < n; ++i) {
    Operation *op = ops[i];
    llvm::hash_code hash =
        llvm::hash_combine(op->getName().getAsOpaquePointer(),
                           op->getNumRegions(), op->hashProperties());
    for (Type type : op->getResultTypes())
      hash = llvm::hash_combine(hash, type.getAsOpaquePointer());
    for (Type type : op->getOperandTypes())
      hash = llvm::hash_combine(hash, type.getAsOpaquePointer());
    kinds[i] = hash;
  }

  // How far back something like an op and those before it was last seen.
  constexpr unsigned context = 4;
  llvm::DenseMap<size_t, unsigned> last;
  std::map<unsigned, unsigned> votes;
  for (unsigned i = context; i < n; ++i) {
    size_t here = llvm::hash_combine_range(kinds.begin() + i - context,
                                           kinds.begin() + i + 1) >>
                  2; // not one of the map's own keys
    auto [it, isNew] = last.try_emplace(here, i);
    if (!isNew)
      ++votes[i - std::exchange(it->second, i)];
  }
  Repetition best;
  for (auto [period, count] : votes) {
    if (count < period)
      continue;
    for (unsigned i = period; i < n;) {
      unsigned first = i;
      while (i < n && kinds[i] == kinds[i - period])
        ++i;
      if (i - first >= 2 * period && i - first + period > best.end - best.start)
        best = {first - period, i, period};
      i = std::max(i, first + 1);
    }
  }
  if (best.period == 0)
    return std::nullopt;

  // What is alive between an op and the one before it, summed over the parts.
  std::vector<int64_t> change(n + 1, 0), alive(best.period, 0);
  for (unsigned i = 0; i < n; ++i)
    if (ops[i]->getNumOperands() != 0)
      for (Value result : ops[i]->getResults()) {
        unsigned end = i;
        for (Operation *user : result.getUsers())
          if (Operation *inBlock = block.findAncestorOpInBlock(*user)) {
            auto it = positions.find(inBlock);
            end = std::max(end, it == positions.end() ? n - 1 : it->second);
          }
        change[i + 1] += tensorBytesOf(result.getType());
        change[end + 1 > n ? n : end + 1] -= tensorBytesOf(result.getType());
      }
  int64_t now = 0;
  for (unsigned i = 0; i < best.end; ++i) {
    now += change[i];
    if (i >= best.start)
      alive[(i - best.start) % best.period] += now;
  }
  // Places early in the run come up once more than late ones.
  unsigned parts = (best.end - best.start) / best.period;
  for (unsigned i = 0; i < best.period; ++i)
    alive[i] /= parts + (i < (best.end - best.start) % best.period ? 1 : 0);
  best.start += std::min_element(alive.begin(), alive.end()) - alive.begin();
  return best;
}
