// A fused kernel as a graph of values over its loops.
#ifndef SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDGRAPH_H
#define SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDGRAPH_H

#include "FusedAccess.h"

#include "shoal/Codegen/GPU/TileCompiler.h"

#include "dialects/StableHLO/StableHLO.h"

#include <deque>
#include <map>

namespace shoal::fused {

struct Reduction;

/// A value at an access; equal ones are one node.
struct Node {
  enum class Kind { Load, HostScalar, Constant, Iota, Map, Reduced };
  Kind kind;
  mlir::Value value;
  llvm::SmallVector<Node *> operands;
  /// Load: the address. Iota: the index.
  Form form;
  /// The loops that the value depends on.
  uint64_t mask = 0;
  /// How many reductions lie one behind the other below it.
  unsigned level = 0;
  /// Map: the node whose scalar region this one is part of.
  Node *cluster = nullptr;
  Reduction *reduction = nullptr;
  unsigned number = 0;

  mlir::Type elementType() const {
    return mlir::cast<mlir::ShapedType>(value.getType()).getElementType();
  }
};

/// A reduce op.
struct Reduction {
  mlir::stablehlo::ReduceOp op;
  llvm::SmallVector<Node *> inputs, inits, results;
  /// 1 + the largest level of the inputs.
  unsigned level = 0;
  /// The kept loops that its results depend on.
  uint64_t mask = 0;
  /// A body of one commutative op, whose neutral element is known.
  mlir::Operation *simple = nullptr;
  /// Types of accumulators: f32 for sums and products of narrower floats.
  llvm::SmallVector<mlir::Type> accumulators;
};

struct Output {
  Node *node;
  /// Its address in the output.
  Form form;
  unsigned number;
};

struct Graph {
  Loops loops;
  std::deque<Node> nodes; // operands before users
  std::deque<Reduction> reductions;
  llvm::SmallVector<Output> outputs;
  unsigned numLevels = 0;

  uint64_t reducedMask() const;
  bool has(uint64_t mask, unsigned loop) const { return mask >> loop & 1; }
};

/// Reads a kernel; false (without a diagnostic) if it holds an op or form that
/// this strategy does not know.
bool buildGraph(const TileSource &source, Graph &graph);

/// The neutral element of a simple reduction; null if there is none.
mlir::TypedAttr neutralElement(mlir::Operation *simple, mlir::Type type);

} // namespace shoal::fused

#endif // SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDGRAPH_H
