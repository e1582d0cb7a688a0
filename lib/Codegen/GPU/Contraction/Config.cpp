// Which instruction, which tiles: the cost model of contractions.

#include "Config.h"
#include "IntervalLoop.h"

#include "dialects/StableHLO/StableHLO.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

//===----------------------------------------------------------------------===//
// Axes
//===----------------------------------------------------------------------===//

int64_t Axis::size() const {
  int64_t size = 1;
  for (int64_t tile : tiles)
    size *= tile;
  return size;
}

SmallVector<int64_t> Axis::partShape(int64_t size) const {
  SmallVector<int64_t> shape(tiles.size(), 1);
  for (unsigned i = tiles.size(); i-- > 0 && size > 1;) {
    shape[i] = std::min(tiles[i], size);
    size /= shape[i];
  }
  return shape;
}

SmallVector<int64_t> Axis::partStart(int64_t size, int64_t index) const {
  SmallVector<int64_t> shape = partShape(size), start(tiles.size(), 0);
  for (unsigned i = tiles.size(); i-- > 0;) {
    int64_t count = tiles[i] / shape[i];
    start[i] = index % count * shape[i];
    index /= count;
  }
  return start;
}

Axis contraction::makeAxis(const Contraction &contraction, Role role,
                           int64_t size) {
  SmallVector<unsigned> atoms;
  for (unsigned atom : contraction.atomsOf(role))
    if (isTileable(contraction, atom))
      atoms.push_back(atom);
  // Minor atoms first: they are contiguous in most tensors.
  SmallVector<int64_t> tiles(atoms.size(), 1);
  int64_t left = size;
  for (unsigned i = atoms.size(); i-- > 0;) {
    int64_t whole = llvm::PowerOf2Ceil(contraction.space[atoms[i]].size);
    tiles[i] = std::min(left, whole);
    left /= tiles[i];
  }
  tiles.back() *= left;
  Axis axis;
  for (auto [atom, tile] : llvm::zip_equal(atoms, tiles))
    if (tile > 1 || atom == atoms.back()) {
      axis.atoms.push_back(atom);
      axis.tiles.push_back(tile);
    }
  return axis;
}

std::optional<AttentionAxes>
contraction::makeAttentionAxes(const Contraction &whole, int64_t rows,
                               int64_t columns, int64_t leastN,
                               int64_t leastInner) {
  for (Role role : {Role::Inner, Role::M, Role::N, Role::K})
    if (llvm::none_of(whole.atomsOf(role),
                      [&](unsigned atom) { return isTileable(whole, atom); }))
      return std::nullopt;
  auto wholeAxis = [&](Role role, int64_t least) {
    int64_t size = llvm::PowerOf2Ceil(whole.sizeOf(role));
    return makeAxis(whole, role, std::max(size, least));
  };
  AttentionAxes axes{
      makeAxis(whole, Role::M, rows), makeAxis(whole, Role::K, columns),
      wholeAxis(Role::N, leastN), wholeAxis(Role::Inner, leastInner),
      SmallVector<int64_t>(whole.space.size(), 1)};
  for (const Axis *axis : {&axes.m, &axes.n, &axes.k, &axes.inner})
    for (auto [atom, tile] : llvm::zip_equal(axis->atoms, axis->tiles))
      axes.tileOf[atom] = tile;
  for (auto [atom, tile] : llvm::zip_equal(whole.space, axes.tileOf))
    if ((atom.role == Role::Inner || atom.role == Role::N) && atom.size > tile)
      return std::nullopt;
  return axes;
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static Type elementType(Value value) {
  return cast<ShapedType>(value.getType()).getElementType();
}

/// If the op allows tf32 for f32 operands: where it says so, and where the user
/// allows it and the op asks for no more than DEFAULT.
static bool allowsTf32(Operation *root, const TileTarget &target) {
  if (auto dot = dyn_cast<sh::DotGeneralOp>(root))
    if (auto algorithm = dot.getAlgorithm())
      return isa<FloatTF32Type>(algorithm->getLhsPrecisionType()) &&
             algorithm->getNumPrimitiveOperations() == 1;
  if (!target.allowTf32)
    return false;
  auto config = root->getAttrOfType<ArrayAttr>("precision_config");
  return !config || llvm::all_of(config, [](Attribute entry) {
    auto precision = dyn_cast<sh::PrecisionAttr>(entry);
    return precision && precision.getValue() == sh::Precision::DEFAULT;
  });
}

std::optional<Arithmetic>
contraction::chooseArithmetic(const Contraction &contraction,
                              const TileTarget &target) {
  MLIRContext *context = contraction.root->getContext();
  Builder builder(context);
  Type lhs = elementType(contraction.root->getOperand(0));
  Type rhs = elementType(contraction.root->getOperand(1));
  Type result = elementType(contraction.root->getResult(0));
  Type f16 = builder.getF16Type(), f32 = builder.getF32Type();
  bool floats =
      isa<FloatType>(lhs) && isa<FloatType>(rhs) && isa<FloatType>(result);
  if (floats) {
    auto isNative8 = [](Type type) {
      return isa<Float8E4M3FNType, Float8E5M2Type>(type);
    };
    if (lhs.isF64() && rhs.isF64())
      return Arithmetic{lhs, lhs, kMmaF64};
    if (result.isF64())
      return std::nullopt;
    if (lhs.isF32() && rhs.isF32())
      return Arithmetic{f32, f32, kMmaTf32,
                        allowsTf32(contraction.root, target)};
    if (lhs == rhs && (lhs.isBF16() || lhs.isF16()))
      return Arithmetic{lhs, f32, kMma16};
    if (lhs == rhs && isNative8(lhs) && target.sm >= 89)
      return Arithmetic{lhs, f32, kMma8};
    // Narrow floats whose values f16 holds.
    auto fitsF16 = [](Type type) {
      return type.getIntOrFloatBitWidth() <= 8 && !isa<Float8E8M0FNUType>(type);
    };
    if (fitsF16(lhs) && fitsF16(rhs))
      return Arithmetic{f16, f32, kMma16};
    return std::nullopt;
  }
  auto isByte = [](Type type) {
    return type.isSignlessInteger(8) || type.isUnsignedInteger(8);
  };
  if (isByte(lhs) && lhs == rhs && isa<IntegerType>(result) &&
      result.getIntOrFloatBitWidth() <= 32)
    return Arithmetic{lhs, builder.getI32Type(), kMma8};
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Configurations
//===----------------------------------------------------------------------===//

static int64_t storageBytes(Type type) {
  return std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8);
}

int64_t contraction::ringBytes(const Contraction &contraction,
                               const Config &config,
                               const Arithmetic &arithmetic) {
  int64_t bytes = 0;
  // What does not depend on the whole tile is not kept in shared memory.
  auto depends = [&](const Leaf &leaf, Role role) {
    return llvm::any_of(contraction.atomsOf(role),
                        [&](unsigned atom) { return leaf.uses(atom); });
  };
  auto add = [&](const Expression &operand, Role role, int64_t side) {
    for (const Leaf &leaf : operand.leaves)
      if (!leaf.isIota && depends(leaf, role) && depends(leaf, Role::K))
        bytes += side * config.k * storageBytes(leaf.elementType());
  };
  add(contraction.lhs, Role::M, config.m);
  add(contraction.rhs, Role::N, config.n);
  return bytes * config.stages;
}

namespace {
struct Candidate {
  int64_t m, n, warpsM, warpsN;
  /// Share of the tensor cores' rate that the loop reaches.
  double efficiency;
};
} // namespace

/// From large to small. Warps own 64 x 64 where there is room, so that
/// accumulators take half of the registers.
static const Candidate candidates[] = {
    {128, 256, 2, 4, 1.0}, {256, 128, 4, 2, 1.0}, {128, 128, 2, 2, 0.92},
    {128, 128, 2, 4, 0.9}, {64, 256, 1, 4, 0.85}, {256, 64, 4, 1, 0.85},
    {128, 64, 2, 2, 0.75}, {64, 128, 2, 2, 0.75}, {64, 64, 2, 2, 0.6},
    {128, 32, 4, 1, 0.5},  {32, 128, 1, 4, 0.5},  {32, 64, 2, 2, 0.4},
    {64, 32, 2, 2, 0.4},   {16, 128, 1, 4, 0.35}, {32, 32, 2, 2, 0.3},
    {16, 64, 1, 4, 0.25},
};

/// If a tensor's rows start where no copy of 4 bytes or more can: elements go
/// to shared memory one by one, through registers.
static bool copiesElements(const Contraction &contraction) {
  for (const Expression *operand : {&contraction.lhs, &contraction.rhs})
    for (const Leaf &leaf : operand->leaves) {
      int64_t bytes = storageBytes(leaf.elementType());
      bool contiguous = false, aligned = leaf.start * bytes % 4 == 0;
      for (const MemoryDim &dim : leaf.memory) {
        contiguous |= dim.stride == 1;
        aligned &= dim.stride == 1 || dim.stride * bytes % 4 == 0;
      }
      if (!leaf.isIota && bytes < 4 && !(contiguous && aligned))
        return true;
    }
  return false;
}

/// Shared memory that stays for the epilogue's exchange.
static constexpr int64_t kReserved = 40 * 1024;

/// How much of the reduction a step takes, and how many steps are in flight:
/// rows of 128 bytes in shared memory, and three stages at least, where there
/// is room; a step is no longer than the reduction.
static bool chooseDepth(Config &config, const Contraction &contraction,
                        const Arithmetic &arithmetic,
                        const TileTarget &target) {
  int64_t room = target.maxSharedBytes - kReserved;
  // Small blocks share a multiprocessor.
  if (config.warps() <= 4)
    room = std::min(room, target.maxSharedBytes / 2 - 8 * 1024);
  int64_t whole = llvm::PowerOf2Ceil(contraction.sizeOf(Role::K));
  // Of 8-bit operands, half of that: a longer step needs too many registers.
  int64_t longest = arithmetic.mma.bits == 8 ? 64 : 1024 / arithmetic.mma.bits;
  for (int64_t least : {3, 2})
    for (int64_t k = longest; k >= arithmetic.mma.k; k /= 2) {
      if (k > whole && k / 2 >= int64_t(arithmetic.mma.k))
        continue;
      for (int64_t stages = 4; stages >= least; --stages) {
        config.k = k;
        config.stages = stages;
        if (ringBytes(contraction, config, arithmetic) <= room)
          return true;
      }
    }
  return false;
}

/// How many blocks share a tile's reduction where there are too few tiles for
/// the chip: parts of equal length, of some steps each.
static int64_t chooseSplit(int64_t tiles, int64_t steps,
                           const TileTarget &target) {
  constexpr int64_t mostParts = 16, fewestSteps = 4;
  int64_t wanted = std::min({int64_t(target.multiprocessors) / tiles,
                             steps / fewestSteps, mostParts});
  for (int64_t parts = wanted; parts > 1; --parts)
    if (steps % parts == 0)
      return parts;
  return 1;
}

/// Tiles along every atom.
static SmallVector<int64_t> tilesOfAtoms(const Contraction &contraction,
                                         const Config &config) {
  SmallVector<int64_t> tiles(contraction.space.size(), 1);
  for (auto [role, size] : {std::pair(Role::M, config.m),
                            {Role::N, config.n},
                            {Role::K, config.k}}) {
    Axis axis = makeAxis(contraction, role, size);
    for (auto [atom, tile] : llvm::zip_equal(axis.atoms, axis.tiles))
      tiles[atom] = tile;
  }
  return tiles;
}

/// Of the steps along the reduction, those that a tile makes on average where
/// memory bounds them.
static int64_t stepsWithin(const Contraction &contraction, const Config &config,
                           int64_t steps) {
  SmallVector<int64_t> tiles = tilesOfAtoms(contraction, config);
  auto plan = planInterval(contraction, tiles);
  return plan ? expectedSteps(contraction, *plan, tiles, steps) : steps;
}

Config contraction::chooseConfig(const Contraction &contraction,
                                 const Arithmetic &arithmetic,
                                 const TileTarget &target) {
  int64_t batch = contraction.sizeOf(Role::Batch);
  /// Tiles along a role, padding of atoms included.
  auto tilesOf = [&](Role role, int64_t size) {
    Axis axis = makeAxis(contraction, role, size);
    int64_t count = 1;
    for (unsigned atom : contraction.atomsOf(role)) {
      int64_t tile = 1;
      for (auto [a, t] : llvm::zip_equal(axis.atoms, axis.tiles))
        if (a == atom)
          tile = t;
      count *= llvm::divideCeil(contraction.space[atom].size, tile);
    }
    return count;
  };
  unsigned operandBits = arithmetic.mma.bits;
  bool wide = operandBits == 64;
  // Where tensor cores take 8-bit floats by wgmma or tcgen05 only, ptxas makes
  // f16 of them for mma.sync, in registers.
  bool widened = operandBits == 8 && isa<FloatType>(arithmetic.operand) &&
                 target.sm >= 90 && target.sm < 120;
  int64_t mostPerThread =
      wide                                                          ? 32
      : operandBits == 32 || widened || copiesElements(contraction) ? 64
                                                                    : 128;
  Config best;
  double bestCost = 0;
  for (const Candidate &candidate : candidates) {
    Config config;
    config.m = candidate.m;
    config.n = candidate.n;
    config.warpsM = candidate.warpsM;
    config.warpsN = candidate.warpsN;
    // f64 and split f32 need more registers per element, and so do copies
    // through registers.
    int64_t perThread = config.m * config.n / (config.warps() * 32);
    if (perThread > mostPerThread)
      continue;
    if (!chooseDepth(config, contraction, arithmetic, target))
      continue;
    int64_t ring = ringBytes(contraction, config, arithmetic);
    int64_t tiles =
        batch * tilesOf(Role::M, config.m) * tilesOf(Role::N, config.n);
    int64_t perSM = std::clamp<int64_t>(
        std::min<int64_t>(target.maxSharedBytes / (ring + 1024),
                          2 * 128 * 8 / (perThread * config.warps())),
        1, 4);
    int64_t kTiles = tilesOf(Role::K, config.k);
    if (contraction.interval)
      kTiles = stepsWithin(contraction, config, kTiles);
    config.split = chooseSplit(tiles, kTiles, target);
    kTiles /= config.split;
    tiles *= config.split;
    // A multiprocessor that runs several blocks shares its tensor cores among
    // them; what counts is how evenly the work is spread.
    double blocks = double(tiles) / target.multiprocessors;
    double waves =
        tiles <= target.multiprocessors
            ? 1.0
            : double(llvm::divideCeil(tiles, target.multiprocessors * perSM)) *
                  perSM;
    waves = std::max(waves, blocks);
    double work = double(config.m) * config.n * config.k * kTiles;
    double overhead = double(config.m) * config.n * 512;
    // Sums go to memory and back, and there is a second launch.
    if (config.split > 1)
      overhead = 2 * overhead + 1e7;
    double cost = waves * (work / candidate.efficiency + overhead);
    if (bestCost == 0 || cost < bestCost) {
      bestCost = cost;
      best = config;
    }
  }
  return best;
}
