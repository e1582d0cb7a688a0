// The search of the reshard planner, and its cache.

#include "shoal/Analysis/ReshardPlanner.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringMap.h"

#include <algorithm>
#include <limits>
#include <queue>

using namespace shoal;
using llvm::ArrayRef;

namespace {
/// The cheapest that anything of a kind can be.
struct Least {
  double perByte = std::numeric_limits<double>::infinity(), latency = perByte;

  explicit Least(const MeshCosts &costs) {
    for (const AxisCost &axis : costs.axes) {
      perByte = std::min(perByte, axis.secondsPerByte);
      latency = std::min(latency, axis.latency);
    }
  }
};

/// True if slicing and making partial, which send nothing, cannot lead to `to`.
bool needsCollective(const PlacementState &state, const PlacementState &to,
                     ArrayRef<MeshAtom> atoms) {
  if (toReduce(state, to))
    return true;
  for (size_t d = 0; d < state.dims.size(); ++d) {
    ArrayRef<uint8_t> have = state.dims[d], want = to.dims[d];
    if (have.size() > want.size() || want.take_front(have.size()) != have)
      return true;
    if (!have.empty() &&
        state.blocks[d] !=
            to.blocks[d] * partCount(want.drop_front(have.size()), atoms))
      return true;
  }
  return false;
}

/// Elements of its part of the target that a device does not hold yet, on
/// average over the devices. Padding is never sent for sure.
double elementsToArrive(const PlacementState &state, const PlacementState &to,
                        const ReshardProblem &problem) {
  ArrayRef<MeshAtom> atoms = problem.atoms;
  AtomSet used = state.cut() | to.cut();
  int64_t devices = partCount(used, atoms);
  // Beyond some devices, what they could hold at best.
  constexpr int64_t most = 64;
  if (devices > most) {
    double wanted = 1, overlap = 1;
    for (size_t d = 0; d < state.blocks.size(); ++d) {
      wanted *= static_cast<double>(problem.shape[d]) /
                static_cast<double>(partCount(to.dims[d], atoms));
      overlap *= static_cast<double>(std::min(state.blocks[d], to.blocks[d]));
    }
    return std::max(0.0, wanted - overlap);
  }
  int64_t arriving = 0;
  forEachDevice(used, atoms, [&](const int64_t *device) {
    int64_t wanted = 1, held = 1;
    for (size_t d = 0; d < state.dims.size(); ++d) {
      int64_t n = problem.shape[d];
      auto from = [&](const PlacementState &s) {
        return std::min(n, partIndex(s.dims[d], atoms, device) * s.blocks[d]);
      };
      int64_t want = from(to), wantEnd = std::min(n, want + to.blocks[d]),
              have = from(state), haveEnd = std::min(n, have + state.blocks[d]);
      wanted *= wantEnd - want;
      held *= std::max<int64_t>(0, std::min(wantEnd, haveEnd) -
                                       std::max(want, have));
    }
    arriving += wanted - held;
  });
  return static_cast<double>(arriving) / static_cast<double>(devices);
}

/// Time that is still needed, whatever the path: the first step reads this
/// placement and the last writes the target; a collective has to start; and
/// bytes must arrive. If summands of q devices are still to be reduced, these
/// are q - 1 times a piece first, the least that can be left of the value once
/// all atoms that are cut now or in the end cut it, and then the part of the
/// target less that piece.
double lowerBound(const PlacementState &state, const PlacementState &to,
                  const ReshardProblem &problem, const Least &least) {
  if (state == to)
    return 0.0;
  double bound = problem.costs->localSecondsPerByte *
                 static_cast<double>(localElements(state) + localElements(to)) *
                 static_cast<double>(problem.elementBytes);
  if (!needsCollective(state, to, problem.atoms))
    return bound;
  double arrive;
  if (AtomSet pending = toReduce(state, to)) {
    auto parts = [&](AtomSet set) {
      return static_cast<double>(partCount(set, problem.atoms));
    };
    double whole = 1;
    for (int64_t extent : problem.shape)
      whole *= static_cast<double>(extent);
    double piece = whole / parts(state.cut() | to.cut() | pending);
    arrive = (parts(pending) - 1) * piece +
             std::max(0.0, whole / parts(to.cut()) - piece);
  } else {
    arrive = elementsToArrive(state, to, problem);
  }
  return bound + least.latency +
         least.perByte * arrive * static_cast<double>(problem.elementBytes);
}

struct Visit {
  double cost;
  size_t parent; // Index of the node the step came from.
  ReshardStep step;
  bool closed = false;
};

/// Gather everything, then slice: always possible, the search's upper limit.
ReshardPlan rematerialize(const PlacementState &from, const PlacementState &to,
                          const ReshardProblem &problem) {
  ReshardPlan plan;
  PlacementState state = from;
  auto take = [&](auto wanted) {
    for (ReshardStep &step : reshardMoves(state, to, problem))
      if (wanted(step)) {
        state = step.after;
        plan.bytes += step.bytes;
        plan.time += step.time;
        plan.steps.push_back(std::move(step));
        return true;
      }
    return false;
  };
  while (take([&](const ReshardStep &step) {
    if (step.kind == ReshardKind::AllReduce)
      return (step.after.partial & ~to.partial) == 0;
    return step.kind == ReshardKind::AllGather &&
           step.after.dims[step.dim].empty();
  })) {
  }
  for (size_t d = 0; d < to.dims.size(); ++d)
    for (size_t i = 0; i < to.dims[d].size(); ++i)
      take([&](const ReshardStep &step) {
        return step.kind == ReshardKind::AllSlice &&
               step.dim == static_cast<int>(d) &&
               step.atoms[0] == to.dims[d][i];
      });
  take([](const ReshardStep &step) {
    return step.kind == ReshardKind::MakePartial;
  });
  return plan;
}

ReshardPlan search(const PlacementState &from, const PlacementState &to,
                   const ReshardProblem &problem, int64_t memoryBound) {
  Least least(*problem.costs);
  // What costs more than this need not be looked at.
  ReshardPlan known = rematerialize(from, to, problem);
  auto fits = [&](const PlacementState &state) {
    return !memoryBound || state == to ||
           localElements(state) * problem.elementBytes <= memoryBound;
  };
  double most = std::numeric_limits<double>::infinity();
  if (!known.steps.empty() && known.steps.back().after == to &&
      llvm::all_of(known.steps,
                   [&](const ReshardStep &step) { return fits(step.after); }))
    most = known.time * (1 + 1e-9);
  llvm::StringMap<size_t> index;
  std::vector<Visit> visits;
  using Entry = std::pair<double, size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<Entry>> open;
  llvm::SmallString<128> key;
  auto keyOf = [&](const PlacementState &state) -> llvm::StringRef {
    key.clear();
    for (const AtomList &list : state.dims) {
      key.push_back(static_cast<char>(list.size()));
      key.append(list.begin(), list.end());
    }
    auto raw = [&](const auto *data, size_t count) {
      key.append(llvm::StringRef(reinterpret_cast<const char *>(data),
                                 count * sizeof(*data)));
    };
    raw(state.blocks.data(), state.blocks.size());
    raw(&state.partial, 1);
    raw(&state.partialKind, state.partial ? 1 : 0);
    return key;
  };
  Visit start{0.0, 0, {}, false};
  start.step.after = from;
  index[keyOf(from)] = 0;
  visits.push_back(start);
  open.push({lowerBound(from, to, problem, least), 0});
  // Far beyond anything real placements reach; then the fallback serves.
  const size_t limit = 20000;
  while (!open.empty() && visits.size() < limit) {
    size_t current = open.top().second;
    open.pop();
    if (visits[current].closed)
      continue;
    visits[current].closed = true;
    PlacementState state = visits[current].step.after;
    if (state == to) {
      ReshardPlan plan;
      for (size_t i = current; i != 0; i = visits[i].parent)
        plan.steps.push_back(visits[i].step);
      std::reverse(plan.steps.begin(), plan.steps.end());
      for (const ReshardStep &step : plan.steps) {
        plan.bytes += step.bytes;
        plan.time += step.time;
      }
      return plan;
    }
    for (ReshardStep &step : reshardMoves(state, to, problem)) {
      if (!fits(step.after))
        continue;
      double cost = visits[current].cost + step.time;
      double bound = lowerBound(step.after, to, problem, least);
      if (cost + bound > most)
        continue;
      auto [it, isNew] = index.try_emplace(keyOf(step.after), visits.size());
      size_t node = it->second;
      if (isNew) {
        visits.push_back({cost, current, std::move(step), false});
      } else {
        if (visits[node].cost <= cost)
          continue;
        // The bound is admissible but not consistent: a closed placement may
        // be reached more cheaply later, and is then opened again.
        visits[node].closed = false;
        visits[node].cost = cost;
        visits[node].parent = current;
        visits[node].step = std::move(step);
      }
      open.push({cost + bound, node});
    }
  }
  return memoryBound ? search(from, to, problem, 0) : known;
}
} // namespace

ReshardPlan shoal::planReshard(const PlacementState &from,
                               const PlacementState &to,
                               const ReshardProblem &problem) {
  ReshardPlan plan;
  if (from != to)
    plan = search(from, to, problem, problem.memoryBound);
  plan.peakBytes = localElements(from) * problem.elementBytes;
  const PlacementState *before = &from;
  for (ReshardStep &step : plan.steps) {
    step.before = *before;
    before = &step.after;
    plan.peakBytes = std::max(plan.peakBytes,
                              localElements(step.after) * problem.elementBytes);
  }
  return plan;
}

ReshardPlanner::ReshardPlanner(ArrayRef<MeshAtom> atoms, MeshCosts costs,
                               int64_t memoryBound)
    : atoms(atoms.begin(), atoms.end()), costs(std::move(costs)),
      memoryBound(memoryBound) {}

namespace {
/// Renames atoms by order of first mention.
struct Renaming {
  llvm::SmallVector<uint8_t, 8> toOriginal;
  llvm::SmallVector<int, 64> toCanonical = llvm::SmallVector<int, 64>(64, -1);

  void mention(uint8_t atom) {
    if (toCanonical[atom] >= 0)
      return;
    toCanonical[atom] = toOriginal.size();
    toOriginal.push_back(atom);
  }
  void mention(const PlacementState &state) {
    for (const AtomList &list : state.dims)
      for (uint8_t atom : list)
        mention(atom);
    for (unsigned i = 0; i < 64; ++i)
      if (state.partial & atomBit(i))
        mention(i);
  }
  PlacementState canonical(const PlacementState &state) const {
    return rename(state, [&](uint8_t a) { return toCanonical[a]; });
  }
  PlacementState original(const PlacementState &state) const {
    return rename(state, [&](uint8_t a) { return toOriginal[a]; });
  }
  template <typename Fn>
  static PlacementState rename(const PlacementState &state, Fn fn) {
    PlacementState result = state;
    for (AtomList &list : result.dims)
      for (uint8_t &atom : list)
        atom = fn(atom);
    result.partial = 0;
    for (unsigned i = 0; i < 64; ++i)
      if (state.partial & atomBit(i))
        result.partial |= atomBit(fn(i));
    return result;
  }
};
} // namespace

const ReshardPlan &ReshardPlanner::plan(const PlacementState &from,
                                        const PlacementState &to,
                                        ArrayRef<int64_t> shape,
                                        int64_t elementBytes) {
  std::vector<int64_t> key(shape.begin(), shape.end());
  key.push_back(elementBytes);
  from.appendKey(key);
  to.appendKey(key);
  std::unique_ptr<ReshardPlan> &slot = exact[key];
  if (slot)
    return *slot;

  Renaming names;
  names.mention(from);
  names.mention(to);
  std::vector<MeshAtom> used;
  std::vector<int64_t> canonicalKey(shape.begin(), shape.end());
  canonicalKey.push_back(elementBytes);
  for (uint8_t atom : names.toOriginal) {
    used.push_back(atoms[atom]);
    // Axes are told apart by cost only, and only against one another.
    canonicalKey.push_back(atoms[atom].size);
    const AxisCost &cost = costs.axes[atoms[atom].axis];
    for (size_t axis = 0; axis < costs.axes.size(); ++axis)
      if (costs.axes[axis] == cost) {
        canonicalKey.push_back(axis);
        break;
      }
  }
  PlacementState start = names.canonical(from), goal = names.canonical(to);
  start.appendKey(canonicalKey);
  goal.appendKey(canonicalKey);
  std::unique_ptr<ReshardPlan> &shared = canonical[canonicalKey];
  if (!shared) {
    ReshardProblem problem;
    problem.shape.assign(shape.begin(), shape.end());
    problem.elementBytes = elementBytes;
    problem.atoms = used;
    problem.costs = &costs;
    problem.memoryBound = memoryBound;
    shared = std::make_unique<ReshardPlan>(planReshard(start, goal, problem));
  }
  slot = std::make_unique<ReshardPlan>(*shared);
  for (ReshardStep &step : slot->steps) {
    for (uint8_t &atom : step.atoms)
      atom = names.toOriginal[atom];
    step.before = names.original(step.before);
    step.after = names.original(step.after);
  }
  return *slot;
}

double ReshardPlanner::atLeast(const PlacementState &from,
                               const PlacementState &to,
                               ArrayRef<int64_t> shape,
                               int64_t elementBytes) const {
  ReshardProblem problem;
  problem.shape.assign(shape.begin(), shape.end());
  problem.elementBytes = elementBytes;
  problem.atoms = atoms;
  problem.costs = &costs;
  return lowerBound(from, to, problem, Least(costs));
}
