// Operands of contractions in a kernel: rings of shared memory, fragments.
#ifndef SHOAL_LIB_CODEGEN_GPU_CONTRACTION_OPERANDS_H
#define SHOAL_LIB_CODEGEN_GPU_CONTRACTION_OPERANDS_H

#include "TileAccess.h"

namespace shoal::contraction {

/// An operand: raw tensors in shared memory, where they depend on the whole
/// tile; what is computed from them is computed on the fragments.
struct Operand {
  const Expression *expression = nullptr;
  MmaOperand kind = MmaOperand::A;
  /// A: M and K; B: K and N.
  Axis rows, columns;
  llvm::SmallVector<unsigned> atoms;
  llvm::SmallVector<int64_t> tiles;

  struct LeafTile {
    TileView view;
    /// A ring in shared memory, or null: loaded from global memory when used.
    mlir::Value ring;
  };
  std::vector<LeafTile> leaves; // with empty views for iotas
  /// The rings have the columns first.
  bool isTransposed = false;

  /// Atoms of a tile's axis that has elements outside the tensor.
  llvm::SmallVector<unsigned> ragged(const Axis &axis,
                                     const Contraction &contraction) const;
};

/// A tile along an axis: `size` elements, number `index` of such parts.
struct Part {
  int64_t size, index;
};

class OperandBuilder {
public:
  /// `arguments`: the kernel's views, in the order of the body's arguments.
  OperandBuilder(TileBuilder &t, const Arithmetic &arithmetic, int64_t warpsM,
                 int64_t warpsN, tile::FuncOp func)
      : t(t), arithmetic(arithmetic), warpsM(warpsM), warpsN(warpsN),
        func(func) {}

  /// The view that the kernel has for an argument of the body.
  mlir::Value argument(mlir::Value value);

  Operand make(const Expression &expression, MmaOperand kind, const Axis &rows,
               const Axis &columns, int64_t stages);
  /// The same tile, rows and columns exchanged, as an operand B: it reads the
  /// other's rings.
  Operand transposed(const Operand &operand);
  /// Starts the copies of the tile at `starts`.
  void copy(const Operand &operand, const Starts &starts, mlir::Value stage);
  /// The fragments of a part of the tile.
  mlir::Value fragment(const Operand &operand, const Starts &starts,
                       mlir::Value stage, Part rows, Part columns);
  LinearLayout layout(MmaOperand kind, int64_t rows, int64_t columns) {
    return mmaLayout(arithmetic.mma, kind, {rows, columns}, warpsM, warpsN);
  }

private:
  mlir::Value makeRing(const Operand &operand, const Leaf &leaf,
                       const TileView &view, int64_t stages);
  mlir::Value slot(mlir::Value ring, mlir::Value stage);

  TileBuilder &t;
  const Arithmetic &arithmetic;
  int64_t warpsM, warpsN;
  tile::FuncOp func;
};

/// If the outputs may be written into the inputs that the source names: each
/// such input is read only where the block then writes.
bool mayWrite(const Contraction &contraction, const TileSource &source);

/// Writes the outputs of these numbers: parts of the sums, `sums[i]` being
/// columns [i, i + 1) x partColumns of the tile of mAxis x nAxis at `starts`.
/// Output i is argument firstOutput + i.
void storeOutputs(TileBuilder &t, OperandBuilder &operands, tile::FuncOp func,
                  const Axis &mAxis, const Axis &nAxis, const Starts &starts,
                  llvm::ArrayRef<mlir::Value> sums, int64_t partColumns,
                  unsigned firstOutput, llvm::ArrayRef<unsigned> numbers);

/// Writes an output that has one element a row, a tile of rows x 1.
void storeColumn(TileBuilder &t, tile::FuncOp func, const Axis &mAxis,
                 const Starts &starts, mlir::Value column,
                 llvm::ArrayRef<MemoryDim> memory, unsigned argument);

/// The loop of a kernel that copies steps to shared memory `stages` - 1 ahead.
/// `copy(step, stage)` starts the copies of a step; `body(step, stage,
/// carried)` uses it and gives what is carried on. What was carried at the end.
llvm::SmallVector<mlir::Value> pipelined(
    TileBuilder &t, Index32 steps, int64_t stages,
    llvm::ArrayRef<mlir::Value> carried,
    llvm::function_ref<void(Index32, mlir::Value)> copy,
    llvm::function_ref<llvm::SmallVector<mlir::Value>(Index32, mlir::Value,
                                                      mlir::ValueRange)>
        body);

/// The tile.func of a kernel with this launch: views of the body's arguments
/// and results, their alignment as the source says, then, if it has some, of
/// scratch memory. `suffix` comes after the symbol.
tile::FuncOp makeTileFunction(mlir::OpBuilder &builder,
                              const TileSource &source, mlir::ModuleOp module,
                              int64_t blocks, int64_t warps,
                              tile::ConfigAttr config, mlir::Location loc,
                              int64_t scratchBytes = 0,
                              llvm::StringRef suffix = "");

/// Splits a number of a tile into starts along the atoms of a role.
void placeAlong(TileBuilder &t, Role role, Index32 number,
                llvm::ArrayRef<int64_t> tileOf, Starts &starts);

/// Which of rows x columns tiles this block makes (within `number`): groups of
/// rows walk the columns together, so that operands meet in the L2 cache.
std::pair<Index32, Index32> placeInGroups(IndexBuilder &x, Index32 number,
                                          int64_t rows, int64_t columns);

} // namespace shoal::contraction

#endif // SHOAL_LIB_CODEGEN_GPU_CONTRACTION_OPERANDS_H
