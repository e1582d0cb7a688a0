#include "FusedConfig.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::fused;

int64_t shoal::fused::stepsOf(const Graph &graph, tile::ConfigAttr config,
                              unsigned loop) {
  return llvm::divideCeil(graph.loops[loop].size, config.getTile()[loop]);
}

unsigned shoal::fused::splitLoop(const Graph &graph, tile::ConfigAttr config) {
  int64_t most = -1;
  unsigned best = 0;
  for (auto [i, loop] : llvm::enumerate(graph.loops))
    if (loop.reduced && stepsOf(graph, config, i) > most) {
      most = stepsOf(graph, config, i);
      best = i;
    }
  return best;
}

bool shoal::fused::isStepped(const Graph &graph, tile::ConfigAttr config) {
  for (auto [i, loop] : llvm::enumerate(graph.loops))
    if (loop.reduced && stepsOf(graph, config, i) > 1)
      return true;
  return false;
}

int64_t shoal::fused::countBlocks(const Graph &graph,
                                  tile::ConfigAttr config) {
  int64_t blocks = 1;
  for (auto [i, loop] : llvm::enumerate(graph.loops))
    if (!loop.reduced &&
        llvm::MulOverflow(blocks, stepsOf(graph, config, i), blocks))
      return INT64_MAX;
  return blocks;
}

namespace {
/// What decides: how memory is walked, and how much is alive.
struct Traits {
  /// The loop along which most bytes are contiguous, and another one along
  /// which some arrays are (transposed operands), or -1.
  int vectorLoop = -1, otherLoop = -1;
  int64_t minBytes = 16, maxBytes = 1;
  /// Arrays of all loops that are read or written, and values of all loops
  /// that are alive between reductions.
  int64_t arrays = 0, live = 1;
};
} // namespace

static int64_t bytesOf(Type type) {
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
}

static Traits findTraits(const Graph &graph) {
  Traits traits;
  uint64_t all = 0;
  for (auto [i, loop] : llvm::enumerate(graph.loops))
    if (loop.size > 1)
      all |= uint64_t(1) << i;
  SmallVector<double> votes(graph.loops.size(), 0);
  double total = 0;
  auto vote = [&](const Form &form, Type type, double weight) {
    uint64_t mask = form.mask();
    double bytes = bytesOf(type) * weight;
    for (auto [i, loop] : llvm::enumerate(graph.loops))
      if (mask >> i & 1)
        bytes *= loop.size;
    total += bytes;
    for (auto [i, c] : llvm::enumerate(form.coefficients))
      if (c == 1 && graph.loops[i].size > 1)
        votes[i] += bytes;
    if (mask == all) {
      ++traits.arrays;
      traits.minBytes = std::min(traits.minBytes, bytesOf(type));
      traits.maxBytes = std::max(traits.maxBytes, bytesOf(type));
    }
  };
  for (const Node &node : graph.nodes) {
    if (node.kind == Node::Kind::Load)
      vote(node.form, node.elementType(), 1);
    // Between reductions live the inputs that more than one level reads (about
    // all of them), and the regions' results.
    if (node.mask == all && node.kind != Node::Kind::Constant &&
        (node.kind != Node::Kind::Map || node.cluster == &node))
      traits.live += std::max<int64_t>(1, bytesOf(node.elementType()) / 4);
  }
  for (const Output &output : graph.outputs)
    vote(output.form, output.node->elementType(), 1.5);
  if (traits.arrays == 0)
    traits.minBytes = traits.maxBytes = 4;
  for (unsigned i = 0; i < votes.size(); ++i)
    if (votes[i] > 0 &&
        (traits.vectorLoop < 0 || votes[i] >= votes[traits.vectorLoop]))
      traits.vectorLoop = i;
  if (traits.vectorLoop < 0)
    traits.vectorLoop = graph.loops.size() - 1;
  for (unsigned i = 0; i < votes.size(); ++i)
    if (int(i) != traits.vectorLoop && votes[i] >= total / 8 &&
        graph.loops[i].size >= 8 &&
        (traits.otherLoop < 0 || votes[i] > votes[traits.otherLoop]))
      traits.otherLoop = i;
  return traits;
}

/// A tile size for `size` iterations: at most `most`; smaller where that leaves
/// fewer of them empty, but not below `least`.
static int64_t fit(int64_t size, int64_t most, int64_t least = 32) {
  int64_t tile = std::min<int64_t>(llvm::PowerOf2Ceil(size), most);
  int64_t best = tile;
  auto padded = [&](int64_t t) { return llvm::alignTo(size, t); };
  while (tile > least) {
    tile /= 2;
    if (padded(tile) * 10 <= padded(best) * 9)
      best = tile;
  }
  return best;
}

static tile::ConfigAttr makeConfig(MLIRContext *context, StringRef name,
                                   ArrayRef<int64_t> tile, int64_t warps,
                                   int64_t split = 1) {
  return tile::ConfigAttr::get(context, StringAttr::get(context, name), tile,
                               warps, /*stages=*/1, /*vector=*/16, split);
}

static int64_t product(ArrayRef<int64_t> sizes) {
  int64_t result = 1;
  for (int64_t size : sizes)
    result *= size;
  return result;
}

/// Warps so that each thread has `perThread` elements of a tile.
static int64_t warpsFor(int64_t elements, int64_t perThread, int64_t most) {
  int64_t warps = llvm::PowerOf2Ceil(
      std::max<int64_t>(1, llvm::divideCeil(elements, 32 * perThread)));
  return std::min(warps, most);
}

/// Deals what is left of a budget to loops that are not reduced, from minor to
/// major.
static void spread(const Graph &graph, SmallVectorImpl<int64_t> &tile,
                   int64_t budget) {
  int64_t left = budget / std::max<int64_t>(1, product(tile));
  for (unsigned i = graph.loops.size(); i-- > 0 && left > 1;) {
    if (graph.loops[i].reduced || tile[i] > 1)
      continue;
    tile[i] = fit(graph.loops[i].size, left, 4);
    left /= tile[i];
  }
}

static tile::ConfigAttr elementwise(const Graph &graph, const Traits &traits,
                                    const TileTarget &target,
                                    MLIRContext *context) {
  int64_t vector = std::max<int64_t>(1, 16 / traits.minBytes);
  vector = std::min<int64_t>(vector, 8);
  int64_t perThread = vector * (traits.arrays <= 3 ? 2 : 1);
  bool transposed = traits.otherLoop >= 0;
  int64_t budget = transposed ? (traits.maxBytes > 4 ? 1024 : 4096)
                              : 128 * perThread;
  SmallVector<int64_t> tile;
  while (true) {
    tile.assign(graph.loops.size(), 1);
    if (transposed) {
      int64_t side = int64_t(1) << (llvm::Log2_64(budget) / 2);
      tile[traits.otherLoop] =
          fit(graph.loops[traits.otherLoop].size, side, 16);
      tile[traits.vectorLoop] = fit(graph.loops[traits.vectorLoop].size,
                                    budget / tile[traits.otherLoop], 16);
    } else {
      tile[traits.vectorLoop] =
          fit(graph.loops[traits.vectorLoop].size, budget);
    }
    spread(graph, tile, budget);
    tile::ConfigAttr config = makeConfig(context, "elementwise", tile, 1);
    if (budget <= 256 ||
        countBlocks(graph, config) >= 2 * int64_t(target.multiprocessors))
      break;
    budget /= 2;
  }
  int64_t elements = product(tile);
  int64_t warps = transposed ? warpsFor(elements, 16, 8)
                             : warpsFor(elements, perThread, 4);
  return makeConfig(context, "elementwise", tile, warps);
}

tile::ConfigAttr shoal::fused::chooseConfig(const Graph &graph,
                                            const TileTarget &target,
                                            MLIRContext *context) {
  Traits traits = findTraits(graph);
  if (graph.reductions.empty())
    return elementwise(graph, traits, target, context);

  int64_t fill = 2 * int64_t(target.multiprocessors);
  int64_t vector = std::min<int64_t>(std::max<int64_t>(1, 16 / traits.minBytes), 8);
  bool isRow = graph.loops[traits.vectorLoop].reduced;
  bool single = graph.numLevels == 1 &&
                llvm::all_of(graph.outputs, [&](const Output &output) {
                  return !(output.form.mask() & graph.reducedMask());
                });
  // Bodies that keep their order walk rows themselves.
  bool ordered = llvm::any_of(graph.reductions, [](const Reduction &r) {
    return !r.simple;
  });
  SmallVector<int64_t> tile(graph.loops.size(), 1);
  int64_t columns = 1;
  for (auto [i, loop] : llvm::enumerate(graph.loops))
    if (loop.reduced) {
      tile[i] = llvm::PowerOf2Ceil(loop.size);
      columns *= tile[i];
    }

  // Everything of a row in registers, if it fits: one pass over memory.
  int64_t live = std::min<int64_t>(traits.live, 8);
  if (isRow && columns * live <= 32768 && !(single && columns > 8192)) {
    int64_t perThread =
        std::max<int64_t>(vector, llvm::bit_floor(uint64_t(64 / live)));
    perThread = std::min<int64_t>(perThread, 16);
    int64_t threads = llvm::PowerOf2Ceil(llvm::divideCeil(columns, perThread));
    if (threads > 512)
      threads = 512;
    // Short rows: several a block, each with lanes of its own.
    int64_t budget = std::max<int64_t>(columns, 128 * vector);
    if (threads <= 32)
      budget = std::max(budget, 4 * columns);
    SmallVector<int64_t> wide = tile;
    while (true) {
      wide = tile;
      spread(graph, wide, budget);
      if (budget <= columns ||
          countBlocks(graph, makeConfig(context, "rows", wide, 1)) >= fill)
        break;
      budget /= 2;
    }
    int64_t elements = product(wide);
    int64_t warps = std::max<int64_t>(
        1, std::min<int64_t>(std::max(threads / 32, elements / (32 * perThread)),
                             16));
    return makeConfig(context, "rows", wide, llvm::bit_floor(uint64_t(warps)));
  }

  // In steps, or columns.
  tile.assign(graph.loops.size(), 1);
  int64_t warps = 8, perThread = vector * 2;
  int64_t budget = 32 * warps * perThread;
  if (isRow) {
    tile[traits.vectorLoop] =
        fit(graph.loops[traits.vectorLoop].size, budget, 128);
  } else {
    tile[traits.vectorLoop] =
        fit(graph.loops[traits.vectorLoop].size, 32 * vector, 64);
  }
  // Then the minor reduced loops.
  for (unsigned i = graph.loops.size(); i-- > 0;)
    if (graph.loops[i].reduced && tile[i] == 1) {
      int64_t left = budget / product(tile);
      if (left > 1)
        tile[i] = fit(graph.loops[i].size, left, 16);
    }
  // Several levels of short columns: keep them in registers.
  if (!isRow && !single) {
    int64_t side = tile[traits.vectorLoop];
    while (columns * side * live > 16384 && side > 8)
      side /= 2;
    if (columns * side * live <= 32768) {
      SmallVector<int64_t> whole(graph.loops.size(), 1);
      for (auto [i, loop] : llvm::enumerate(graph.loops))
        if (loop.reduced)
          whole[i] = llvm::PowerOf2Ceil(loop.size);
      whole[traits.vectorLoop] =
          std::min<int64_t>(llvm::PowerOf2Ceil(graph.loops[traits.vectorLoop].size), side);
      return makeConfig(context, "columns", whole,
                        warpsFor(product(whole), 8, 16));
    }
  }
  if (product(tile) < budget && product(tile) < 32 * warps * vector)
    spread(graph, tile, 32 * warps * vector);
  warps = warpsFor(product(tile), perThread, 8);
  StringRef name = isRow ? "rows" : "columns";
  tile::ConfigAttr config = makeConfig(context, name, tile, warps);
  // Too few blocks: several share a reduction.
  int64_t blocks = countBlocks(graph, config);
  int64_t steps = stepsOf(graph, config, splitLoop(graph, config));
  if (single && !ordered && blocks < fill && steps >= 4) {
    int64_t split = std::min<int64_t>(llvm::divideCeil(fill, blocks), steps);
    // At least two steps a block, or the second launch costs more than it saves.
    split = std::min<int64_t>(split, std::max<int64_t>(1, steps / 2));
    split = std::min<int64_t>(split, 512);
    int64_t each = llvm::divideCeil(steps, split);
    split = llvm::divideCeil(steps, each);
    config = makeConfig(context, name, tile, warps, split);
  }
  return config;
}

tile::ConfigAttr
shoal::fused::chooseFinishConfig(const Graph &graph, tile::ConfigAttr config,
                                 const TileTarget &target) {
  SmallVector<int64_t> tile(graph.loops.size(), 1);
  unsigned loop = splitLoop(graph, config);
  tile[loop] = llvm::PowerOf2Ceil(config.getSplit());
  int64_t budget = std::max<int64_t>(tile[loop], 1024);
  SmallVector<int64_t> wide = tile;
  while (true) {
    wide = tile;
    spread(graph, wide, budget);
    if (budget <= tile[loop] * 32 ||
        countBlocks(graph, makeConfig(config.getContext(), "finish", wide, 1)) >=
            int64_t(target.multiprocessors))
      break;
    budget /= 2;
  }
  return makeConfig(config.getContext(), "finish", wide,
                    warpsFor(product(wide), 4, 8));
}
