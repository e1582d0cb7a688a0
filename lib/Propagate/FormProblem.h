// The choice of one form per op as an abstract problem, and its search. Plain
// C++, no IR: nodes pick one of a few candidates; each candidate says in which
// placement (an index) it gives its results and wants its operands; a value
// costs what it takes to bring it from the one into all the others.
#ifndef SHOAL_LIB_PROPAGATE_FORMPROBLEM_H
#define SHOAL_LIB_PROPAGATE_FORMPROBLEM_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace shoal::propagate {

/// What is asked for of a cost: itself, or something no more than it that is
/// known much sooner. The search asks for the second first, to see if the first
/// matters.
enum class Price { Exact, AtLeast };

/// Cost between the placements of one value. Values of equal shape and equal
/// placements share one table.
struct MoveCosts {
  size_t size = 0;
  /// Filled on demand; negative where not yet known.
  std::vector<float> table;
  std::function<float(size_t from, size_t to)> compute;
  /// Never more than `compute` says, and known much sooner.
  std::function<float(size_t from, size_t to)> bound;
  std::vector<float> bounds; ///< as `table`
  /// What a device holds of the value in each placement.
  std::vector<float> bytes;

  float get(size_t from, size_t to, Price price = Price::Exact) {
    if (from == to)
      return 0;
    float &known = table[from * size + to];
    if (known >= 0)
      return known;
    if (price == Price::Exact)
      return known = compute(from, to);
    if (!bound)
      return 0;
    float &least = bounds[from * size + to];
    if (least < 0)
      least = bound(from, to);
    return least;
  }
};

struct FormProblem {
  struct Slot {
    int node = -1;
    int index = 0; ///< position in the node's uses or definitions
  };
  struct ValueInfo {
    Slot def;
    llvm::SmallVector<Slot, 2> uses;
    /// How often the value is made per step (trip counts of enclosing loops).
    float weight = 1;
    MoveCosts *costs = nullptr;
    /// Price of a byte held for as long as the value lives; zero while memory
    /// is no concern.
    float hold = 0;
    float holdCost(uint8_t placement) const {
      return hold ? hold * costs->bytes[placement] : 0;
    }
  };
  struct Candidate {
    float cost = 0; ///< of computing in this form
    llvm::SmallVector<uint8_t, 4> uses;
    llvm::SmallVector<uint8_t, 2> defs;
    /// Left out of the first search: forms that are seldom best and lead it
    /// astray.
    bool late = false;
  };
  struct Node {
    llvm::SmallVector<int, 4> uses; ///< value ids; -1: does not matter
    llvm::SmallVector<int, 2> defs;
    std::vector<Candidate> candidates;
    /// False for nodes whose candidate is given.
    bool free() const { return candidates.size() > 1; }
  };

  std::vector<ValueInfo> values;
  std::vector<Node> nodes;
};

/// How the placements that a value is wanted in come from one another: an edge
/// (from, to) per move, in the order in which they are to be made. Every wanted
/// placement is made once, from whichever existing one is cheapest.
struct CopyTree {
  llvm::SmallVector<std::pair<uint8_t, uint8_t>, 4> moves;
  float cost = 0;
};
CopyTree planCopies(MoveCosts &costs, uint8_t have,
                    llvm::ArrayRef<uint8_t> wanted);

/// The cost of that tree, or something no more than it. `wanted` may have
/// `have` and repetitions in it.
double copiesCost(MoveCosts &costs, uint8_t have,
                  llvm::ArrayRef<uint8_t> wanted, Price price);

/// Cost of a choice (a candidate per node).
double getCost(FormProblem &problem, llvm::ArrayRef<uint8_t> choice);

/// Improves `choice` until no move lowers its cost: changes of one node, of a
/// value's maker together with its users, and of whole trees of nodes at once
/// (exact by dynamic programming, for several spanning forests). On a tree of
/// single-use values the result is optimal. Deterministic.
void improve(FormProblem &problem, std::vector<uint8_t> &choice);

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_FORMPROBLEM_H
