// One kernel's function: buffers, the recursive element evaluation, and the
// strategies that lay loops around it.
#ifndef SHOAL_LIB_CODEGEN_CPU_KERNELEMITTER_H
#define SHOAL_LIB_CODEGEN_CPU_KERNELEMITTER_H

#include "OpEmitter.h"
#include "shoal/Codegen/CPU/KernelCompiler.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <memory>

namespace shoal::cpu {

class KernelEmitter;
struct RowPlan;

/// What one emission of a kernel learns and the next one uses: the kernel is
/// emitted twice, first (dry run) to see how the arrays are really accessed.
struct KernelFacts {
  ElementEmitter::Splits splits;
  std::shared_ptr<const RowPlan> rowPlan;
  int64_t chunks = 1;
  int64_t scratchBytes = 0;
  int64_t flops = 0;
  int64_t bytes = 0;
};

class KernelEmitter : public ElementEmitter {
public:
  KernelEmitter(llvm::Function *function, const KernelSource &source,
                KernelFacts &facts, bool dryRun);

  /// Emits the whole function body. False if it failed (reported).
  bool run();

  Scalar element(mlir::Value tensor,
                 llvm::ArrayRef<IndexExpr> index) override;

  /// An array in memory: an input, an output, or local memory.
  struct Array {
    llvm::Value *base = nullptr;
    mlir::RankedTensorType type;
    /// Input number, or inputs + output number; -1 for local memory.
    int buffer = -1;
  };
  Scalar loadArray(const Array &array, const IndexExpr &linear);
  void storeArray(const Array &array, const IndexExpr &linear, Scalar value);
  Array localArray(mlir::Type elementType, int64_t elements);
  /// The array of an input value; null if `value` is no array input.
  const Array *inputArray(mlir::Value value) const;
  const Array &outputArray(unsigned i) const { return outputs[i]; }
  mlir::OperandRange outputValues() {
    return source.body->front().getTerminator()->getOperands();
  }

  /// Computes the elements of the outputs numbered `which` (all of one shape)
  /// at `index`, then stores them: an output may overwrite an input that
  /// another one reads.
  void storeOutputs(llvm::ArrayRef<unsigned> which,
                    llvm::ArrayRef<IndexExpr> index);

  /// Splits `total` units of work, each costing about `unitCost`, into chunks
  /// and loops over the units of the running chunks.
  virtual void
  parallelUnits(int64_t total, int64_t unitCost,
                     llvm::function_ref<void(IndexVar *)> body);
  /// The same without the loop: body gets the bounds of the running chunks'
  /// units. Chunks are multiples of `multiple` units.
  void
  parallelRange(int64_t total, int64_t unitCost, int64_t multiple,
                llvm::function_ref<void(llvm::Value *, llvm::Value *)> body);
  /// Marked for LLVM, which then needs no run-time checks for overlap.
  void parallelLoop(llvm::Value *lower, llvm::Value *upper, int64_t maxUpper,
                    llvm::function_ref<void(IndexExpr)> body) override;
  /// Loops over `shape` in as few loops as possible, the outer ones split over
  /// chunks. Only one nest of a kernel may be split, see setSerial.
  virtual void
  parallelSpace(llvm::ArrayRef<int64_t> shape, const void *site,
                int64_t elementCost,
                llvm::function_ref<void(llvm::ArrayRef<IndexExpr>)> body);
  /// From here on the kernel is one chunk.
  void setSerial() { serial = true; }

  llvm::Value *chunkBegin() { return begin; }
  llvm::Value *chunkEnd() { return end; }
  KernelFacts &getFacts() { return facts; }
  const KernelSource &getSource() const { return source; }
  bool isDryRun() const { return dryRun; }

  const OpEmitters &getEmitters() const { return emitters; }

protected:
  /// For targets whose kernels take other parameters: the function's first
  /// blocks, and no more. `bind` has to follow.
  KernelEmitter(llvm::Function *function, const KernelSource &source,
                KernelFacts &facts, bool dryRun, const OpEmitters &emitters);
  /// Gives inputs, outputs and scalars their values: buffers are the inputs'
  /// and then the outputs', scalars i64, numbered as in KernelABI.h. Emission
  /// goes on in the body.
  void bind(llvm::function_ref<llvm::Value *(unsigned)> buffer,
            llvm::function_ref<llvm::Value *(unsigned)> scalar);

  /// An op that makes its whole result at once, for chunks [begin, end).
  void emitBufferOp(mlir::Operation *op, const OpEmitter &emitter);
  llvm::Value *begin = nullptr;
  llvm::Value *end = nullptr;

private:
  void emitLoops();
  void makeAliasScopes();
  void addMetadata(llvm::ArrayRef<llvm::Instruction *> accesses, int buffer);
  Scalar rankZeroInput(mlir::Value tensor, const Array &array);
  llvm::GlobalVariable *constantArray(mlir::ElementsAttr constant);

  const KernelSource &source;
  KernelFacts &facts;
  const OpEmitters &emitters;
  llvm::DenseMap<mlir::Value, Array> inputs;
  llvm::DenseMap<mlir::Value, Scalar> scalarInputs;
  llvm::SmallVector<Array> outputs;
  unsigned numInputs = 0;
  llvm::DenseMap<mlir::Attribute, llvm::GlobalVariable *> constants;
  /// Alias metadata: per buffer its scope list, and the list it does not alias.
  llvm::SmallVector<std::pair<llvm::MDNode *, llvm::MDNode *>> aliasScopes;
  llvm::MDNode *accessGroup = nullptr;

  llvm::DenseMap<mlir::Value, Scalar> rankZeroValues;
  bool serial = false;
};

/// Number of elements of a static shape.
int64_t countElements(llvm::ArrayRef<int64_t> shape);
llvm::ArrayRef<int64_t> shapeOf(mlir::Value value);

/// Cost of computing one element of `value` with everything that is fused
/// into it, in units of a simple scalar operation.
int64_t elementCost(mlir::Value value, const OpEmitters &emitters);

/// What an element costs at least, for reading and writing it.
constexpr int64_t minElementCost = 8;

/// Strategies; each returns false if the kernel has not its form.
bool emitRowKernel(KernelEmitter &e);
bool emitColumnReduction(KernelEmitter &e);
bool emitDotKernel(KernelEmitter &e);
bool emitTransposeKernel(KernelEmitter &e);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_KERNELEMITTER_H
