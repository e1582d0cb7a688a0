// The moves of the reshard planner: which placements are one collective away.

#include "shoal/Analysis/ReshardPlanner.h"

#include <algorithm>

using namespace shoal;
using llvm::ArrayRef;

const char *shoal::stringify(ReshardKind kind) {
  switch (kind) {
  case ReshardKind::AllSlice:
    return "all_slice";
  case ReshardKind::MakePartial:
    return "make_partial";
  case ReshardKind::AllGather:
    return "all_gather";
  case ReshardKind::AllToAll:
    return "all_to_all";
  case ReshardKind::Permute:
    return "permute";
  case ReshardKind::Reblock:
    return "reblock";
  case ReshardKind::ReduceScatter:
    return "reduce_scatter";
  case ReshardKind::AllReduce:
    return "all_reduce";
  }
  return "?";
}

namespace {
class Moves {
public:
  Moves(const PlacementState &state, const PlacementState &to,
        const ReshardProblem &problem)
      : state(state), to(to), problem(problem), atoms(problem.atoms) {}

  std::vector<ReshardStep> all() {
    reduceMoves();
    for (size_t d = 0; d < state.dims.size(); ++d) {
      sliceMoves(d);
      gatherMoves(d);
      reblockMoves(d);
    }
    permuteMoves();
    partialMoves();
    return std::move(moves);
  }

private:
  const PlacementState &state, &to;
  const ReshardProblem &problem;
  ArrayRef<MeshAtom> atoms;
  std::vector<ReshardStep> moves;

  int64_t bytesOf(const PlacementState &s) const {
    return localElements(s) * problem.elementBytes;
  }

  void add(ReshardKind kind, int dim, int toDim, ArrayRef<uint8_t> list,
           PlacementState after, int64_t bytes) {
    ReshardStep step;
    step.kind = kind;
    step.dim = dim;
    step.toDim = toDim;
    step.atoms.assign(list.begin(), list.end());
    if (!after.partial)
      after.partialKind = 0;
    AtomSet used = 0;
    for (uint8_t atom : list)
      used |= atomBit(atom);
    // Local work: what is read and what is written.
    step.time =
        problem.costs->localSecondsPerByte * (bytesOf(state) + bytesOf(after));
    bool moves =
        kind != ReshardKind::AllSlice && kind != ReshardKind::MakePartial;
    if (moves)
      step.time += collectiveTime(used, bytes, atoms, *problem.costs);
    step.bytes = bytes;
    step.after = std::move(after);
    this->moves.push_back(std::move(step));
  }

  /// Block of dimension d once `list` is its list of atoms, coming from block
  /// `block` under the first `have` of them by cutting further. 0: impossible.
  int64_t blockAfterCut(size_t d, ArrayRef<uint8_t> list, size_t have,
                        int64_t block) const {
    int64_t n = problem.shape[d];
    int64_t q = partCount(list.drop_front(have), atoms);
    if (have)
      return block % q == 0 ? block / q : 0;
    if (list.size() <= to.dims[d].size() &&
        std::equal(list.begin(), list.end(), to.dims[d].begin()))
      return to.blocks[d] *
             partCount(ArrayRef<uint8_t>(to.dims[d]).drop_front(list.size()),
                       atoms);
    return ceilDiv(n, q);
  }

  bool cutBy(PlacementState &s, size_t d, ArrayRef<uint8_t> extra) const {
    size_t have = s.dims[d].size();
    s.dims[d].append(extra.begin(), extra.end());
    int64_t block = blockAfterCut(d, s.dims[d], have, s.blocks[d]);
    if (!block)
      return false;
    s.blocks[d] = block;
    return true;
  }

  void uncutLast(PlacementState &s, size_t d, size_t count) const {
    int64_t q = partCount(ArrayRef<uint8_t>(s.dims[d]).take_back(count), atoms);
    s.dims[d].truncate(s.dims[d].size() - count);
    s.blocks[d] = s.dims[d].empty() ? problem.shape[d] : s.blocks[d] * q;
  }

  void sliceMoves(size_t d) {
    AtomSet free = to.cut() & ~state.used();
    for (size_t i = 0; i < atoms.size(); ++i) {
      if (!(free & atomBit(i)))
        continue;
      PlacementState after = state;
      if (cutBy(after, d, static_cast<uint8_t>(i)))
        add(ReshardKind::AllSlice, d, -1, static_cast<uint8_t>(i), after, 0);
    }
  }

  void gatherMoves(size_t d) {
    const AtomList &list = state.dims[d];
    for (size_t k = 1; k <= list.size(); ++k) {
      ArrayRef<uint8_t> moved = ArrayRef<uint8_t>(list).take_back(k);
      int64_t q = partCount(moved, atoms);
      PlacementState after = state;
      uncutLast(after, d, k);
      // What arrives are q - 1 blocks, padding included.
      add(ReshardKind::AllGather, d, -1, moved, after,
          (q - 1) * bytesOf(state));
      for (size_t e = 0; e < state.dims.size(); ++e) {
        if (e == d)
          continue;
        PlacementState cut = after;
        if (!cutBy(cut, e, moved))
          continue;
        // The pieces sent are cut from the destination dimension, padded to
        // whole blocks: q pieces of the result's block.
        int64_t full = bytesOf(state) / std::max<int64_t>(1, state.blocks[e]) *
                       cut.blocks[e] * q;
        add(ReshardKind::AllToAll, d, e, moved, cut, allToAllBytes(q, full));
      }
    }
  }

  void reduceMoves() {
    AtomSet pending = toReduce(state, to);
    if (!pending)
      return;
    AtomList list;
    for (size_t i = 0; i < atoms.size(); ++i)
      if (pending & atomBit(i))
        list.push_back(i);
    // All subsets of up to three atoms, and all of them.
    size_t n = list.size();
    for (uint64_t mask = 1; mask < (uint64_t(1) << std::min<size_t>(n, 6));
         ++mask) {
      AtomList subset;
      AtomSet set = 0;
      for (size_t i = 0; i < n; ++i)
        if (mask >> i & 1) {
          subset.push_back(list[i]);
          set |= atomBit(list[i]);
        }
      if (subset.size() > 3 && subset.size() != n)
        continue;
      reduceSubset(subset, set);
    }
    if (n > 6) {
      AtomSet set = pending;
      reduceSubset(list, set);
    }
  }

  void reduceSubset(AtomList subset, AtomSet set) {
    int64_t q = partCount(set, atoms);
    PlacementState reduced = state;
    reduced.partial &= ~set;
    add(ReshardKind::AllReduce, -1, -1, subset, reduced,
        allReduceBytes(q, bytesOf(state)));
    for (size_t d = 0; d < state.dims.size(); ++d) {
      if (problem.shape[d] < 2)
        continue;
      AtomList order = subset;
      std::sort(order.begin(), order.end());
      int tried = 0;
      do {
        PlacementState after = reduced;
        if (!cutBy(after, d, order))
          continue;
        int64_t full = bytesOf(after) * q;
        add(ReshardKind::ReduceScatter, d, -1, order, after,
            gatherBytes(q, full));
      } while (++tried < 24 &&
               std::next_permutation(order.begin(), order.end()));
    }
  }

  void reblockMoves(size_t d) {
    const AtomList &list = state.dims[d];
    if (list.empty())
      return;
    // The block that lets the common prefix with the target meet it.
    const AtomList &goal = to.dims[d];
    size_t common = 0;
    while (common < list.size() && common < goal.size() &&
           list[common] == goal[common])
      ++common;
    int64_t parts = partCount(list, atoms);
    int64_t n = problem.shape[d];
    llvm::SmallVector<int64_t, 4> wanted;
    int64_t goalPrefix =
        to.blocks[d] *
        partCount(ArrayRef<uint8_t>(goal).drop_front(common), atoms);
    int64_t q = partCount(ArrayRef<uint8_t>(list).drop_front(common), atoms);
    if (common && goalPrefix % q == 0)
      wanted.push_back(goalPrefix / q);
    if (partCount(goal, atoms) == parts)
      wanted.push_back(to.blocks[d]);
    wanted.push_back(ceilDiv(n, parts));
    // A block that can be cut further by what the target still adds.
    int64_t more = 1;
    for (size_t e = 0; e < to.dims.size(); ++e)
      for (uint8_t atom : to.dims[e])
        if (!(atomBit(atom) & state.used()))
          more *= atoms[atom].size;
    wanted.push_back(ceilDiv(n, parts * more) * more);
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    for (int64_t block : wanted) {
      if (block == state.blocks[d] || block * parts < n || block <= 0)
        continue;
      PlacementState after = state;
      after.blocks[d] = block;
      int64_t row = bytesOf(state) / std::max<int64_t>(1, state.blocks[d]);
      add(ReshardKind::Reblock, d, -1, list, after,
          reblockBytes(n, parts, state.blocks[d], block, row));
    }
  }

  /// Share of devices whose piece changes hands when lists of equal local
  /// shape are exchanged.
  int64_t permuteBytes(const PlacementState &after) const {
    AtomSet used = state.cut() | after.cut();
    int64_t devices = partCount(used, atoms);
    int64_t bytes = bytesOf(state);
    if (devices > 4096)
      return bytes;
    int64_t moved = 0;
    forEachDevice(used, atoms, [&](const int64_t *device) {
      bool same = true;
      for (size_t d = 0; d < state.dims.size() && same; ++d)
        same = partIndex(state.dims[d], atoms, device) ==
               partIndex(after.dims[d], atoms, device);
      moved += !same;
    });
    return bytes * moved / std::max<int64_t>(1, devices);
  }
  void addPermute(PlacementState after) {
    if (after.dims == state.dims)
      return;
    // Partial copies may not be mixed: devices trade places only among those
    // that hold the same summand.
    if (after.cut() & after.partial)
      return;
    AtomList moved;
    AtomSet changed = 0;
    for (size_t d = 0; d < state.dims.size(); ++d)
      if (state.dims[d] != after.dims[d])
        for (const AtomList &list : {state.dims[d], after.dims[d]})
          for (uint8_t atom : list)
            changed |= atomBit(atom);
    for (size_t i = 0; i < atoms.size(); ++i)
      if (changed & atomBit(i))
        moved.push_back(i);
    int64_t bytes = permuteBytes(after);
    add(ReshardKind::Permute, -1, -1, moved, std::move(after), bytes);
  }

  void permuteMoves() {
    // All dimensions at once to the target's lists.
    bool fits = true;
    for (size_t d = 0; d < state.dims.size() && fits; ++d)
      fits = partCount(state.dims[d], atoms) == partCount(to.dims[d], atoms);
    if (fits) {
      PlacementState after = state;
      after.dims = to.dims;
      addPermute(after);
    }
    for (size_t d = 0; d < state.dims.size(); ++d) {
      const AtomList &list = state.dims[d];
      // Another order of the same atoms.
      AtomList order = list;
      std::sort(order.begin(), order.end());
      int tried = 0;
      do {
        PlacementState after = state;
        after.dims[d] = order;
        addPermute(after);
      } while (++tried < 24 &&
               std::next_permutation(order.begin(), order.end()));
      // One atom replaced by a free one of the target, of the same size.
      AtomSet free = to.cut() & ~state.used();
      for (size_t p = 0; p < list.size(); ++p)
        for (size_t i = 0; i < atoms.size(); ++i)
          if ((free & atomBit(i)) && atoms[i].size == atoms[list[p]].size) {
            PlacementState after = state;
            after.dims[d][p] = i;
            addPermute(after);
          }
      // Two atoms of equal size in different dimensions trade places.
      for (size_t e = d + 1; e < state.dims.size(); ++e)
        for (size_t p = 0; p < list.size(); ++p)
          for (size_t r = 0; r < state.dims[e].size(); ++r)
            if (atoms[list[p]].size == atoms[state.dims[e][r]].size) {
              PlacementState after = state;
              std::swap(after.dims[d][p], after.dims[e][r]);
              addPermute(after);
            }
    }
  }

  void partialMoves() {
    AtomSet wanted = to.partial & ~state.used();
    if (!wanted || (state.partial && state.partialKind != to.partialKind))
      return;
    AtomList list;
    for (size_t i = 0; i < atoms.size(); ++i)
      if (wanted & atomBit(i))
        list.push_back(i);
    PlacementState after = state;
    after.partial |= wanted;
    after.partialKind = to.partialKind;
    add(ReshardKind::MakePartial, -1, -1, list, after, 0);
  }
};
} // namespace

std::vector<ReshardStep> shoal::reshardMoves(const PlacementState &state,
                                             const PlacementState &to,
                                             const ReshardProblem &problem) {
  return Moves(state, to, problem).all();
}
