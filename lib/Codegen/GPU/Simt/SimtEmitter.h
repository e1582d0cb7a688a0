// One launch of a kernel at the SIMT level: the CPU's scalar emitter, with the
// elements spread over threads.
#ifndef SHOAL_LIB_CODEGEN_GPU_SIMT_SIMTEMITTER_H
#define SHOAL_LIB_CODEGEN_GPU_SIMT_SIMTEMITTER_H

#include "lib/Codegen/CPU/KernelEmitter.h"
#include "shoal/Codegen/GPU/Strategy.h"

#include <functional>

namespace shoal::gpu::simt {

using cpu::ElementEmitter;
using cpu::Index;
using cpu::IndexExpr;
using cpu::IndexVar;
using cpu::IRBuilder;
using cpu::KernelEmitter;
using cpu::Scalar;
using cpu::Variable;

/// Threads of a block where nothing else asks for another number.
constexpr int64_t defaultBlock = 256;

class SimtEmitter : public KernelEmitter {
public:
  /// `function` is one that declareLaunch made; `launch.block` is its threads.
  SimtEmitter(llvm::Function *function, const KernelSource &source,
              cpu::KernelFacts &facts, bool dryRun, const Chip &chip,
              Launch &launch);

  /// Runs `body` as the code of the launch. False if something failed
  /// (reported).
  bool run(llvm::function_ref<void(SimtEmitter &)> body);

  const Chip &getChip() const { return chip; }
  Launch &getLaunch() { return launch; }

  // --- Threads. All i32 but where said. ---
  llvm::Value *threadInBlock();
  llvm::Value *blockNumber();
  llvm::Value *numBlocks();
  /// All threads of the block meet; their writes to memory are seen.
  void barrier();

  /// Loops from `first` by `step` (i64 values, >= 0) while below `total`, a
  /// constant. The variable's range is [0, total).
  void strideLoop(llvm::Value *first, llvm::Value *step, int64_t total,
                  llvm::function_ref<void(IndexVar *)> body);
  /// Spreads [0, total) over all threads of the launch, neighbours next to each
  /// other, and makes the grid large enough.
  void gridLoop(int64_t total, llvm::function_ref<void(IndexVar *)> body);
  /// The same over the indices of a shape.
  void gridSpace(llvm::ArrayRef<int64_t> shape,
                 llvm::function_ref<void(llvm::ArrayRef<IndexExpr>)> body);
  /// Spreads [0, total) over the blocks; all threads of a block run the body
  /// together, so that it may meet at barriers.
  void blockLoop(int64_t total, llvm::function_ref<void(IndexVar *)> body);
  /// One thread of the launch runs the body.
  void once(llvm::function_ref<void()> body);

  /// One chunk of an op by the CPU's emitter (OpEmitter::chunks).
  void emitChunks(mlir::Operation *op, const cpu::OpEmitter &emitter,
                  IndexVar *chunk);

  // Loops of the shared emitter, in this way.
  void parallelUnits(int64_t total, int64_t unitCost,
                     llvm::function_ref<void(IndexVar *)> body) override;
  void parallelSpace(
      llvm::ArrayRef<int64_t> shape, const void *site, int64_t elementCost,
      llvm::function_ref<void(llvm::ArrayRef<IndexExpr>)> body) override;

  // --- Memory. ---
  /// Memory of the thread's own: on its stack, or in scratch memory where it is
  /// large; then few threads are launched.
  llvm::Value *localBuffer(int64_t bytes) override;
  /// Address of shared memory (addrspace(3)) at a byte offset; `bytes` are
  /// reserved from there.
  llvm::Value *shared(int64_t offset, int64_t bytes);
  /// Address in the scratch memory that all launches of the kernel share.
  llvm::Value *scratch(int64_t offset);

private:
  llvm::Value *readRegister(llvm::Intrinsic::ID id);
  void needThreads(int64_t threads);
  void placeLocals();

  const Chip &chip;
  Launch &launch;
  unsigned numBuffers = 0;
  int64_t localBytes = 0;
  int64_t wantedBlocks = 1;
  /// Stand for what is known at the end: where the threads' scratch memory
  /// starts, and how much each has.
  llvm::CallInst *localBase = nullptr, *localStride = nullptr;
  llvm::DenseMap<unsigned, llvm::Value *> registers;
};

/// A kernel at the SIMT level: its launches, and the code of each.
struct SimtKernel {
  struct Step {
    int64_t block = defaultBlock;
    std::function<void(SimtEmitter &)> emit;
  };
  llvm::SmallVector<Step> steps;
  /// Bytes of scratch memory at fixed offsets.
  int64_t scratchBytes = 0;
  bool scratchZeroed = false;
  const char *form = "loops";
  int64_t flops = -1; ///< of ops; -1: what the emitter counts

  /// Reserves scratch memory; returns its offset.
  int64_t reserve(int64_t bytes) {
    int64_t at = scratchBytes;
    scratchBytes += (bytes + 255) / 256 * 256;
    return at;
  }
};

/// An op that makes its whole result at once: fills in the kernel's steps.
using OpForm = std::function<void(mlir::Operation *, const KernelSource &,
                                  SimtKernel &)>;
struct OpForms {
  llvm::StringMap<OpForm> forms;
  template <typename OpT, typename Fn> void add(Fn fn) {
    forms[OpT::getOperationName()] = [fn](mlir::Operation *op,
                                          const KernelSource &source,
                                          SimtKernel &kernel) {
      fn(llvm::cast<OpT>(op), source, kernel);
    };
  }
};
void addUpdateForms(OpForms &forms); // UpdateForms.cpp, Scatter.cpp
void addScatterForm(OpForms &forms);
void addSortForms(OpForms &forms);   // Sort.cpp
void addScanForm(OpForms &forms);    // Scan.cpp
void addFactorForms(OpForms &forms); // Factorisations.cpp
void addFourierForm(OpForms &forms); // Fourier.cpp
void addRandomForm(OpForms &forms);  // RandomElements.cpp
/// After addScanForm, which it adds to.
void addWindowForms(OpForms &forms); // Windows.cpp

/// The emitters of single elements: the CPU's, and in place of those that make a
/// whole result at once forms that compute an element.
const cpu::OpEmitters &getElementEmitters();
void registerWindowElements(cpu::OpEmitters &emitters); // WindowElements.cpp
void registerRandomElements(cpu::OpEmitters &emitters); // RandomElements.cpp
void registerFourierElements(cpu::OpEmitters &emitters); // Fourier.cpp

/// Reductions and ops on the same rows: fills in `kernel` and returns true if
/// the kernel has that form (Rows.cpp).
bool makeRowKernel(const KernelSource &source, SimtKernel &kernel);

/// All outputs of the kernel are results of `op`.
bool isAlone(mlir::Operation *op, const KernelSource &source);

/// The array that result number `i` of a lone op is written to; null if nobody
/// needs it.
const KernelEmitter::Array *resultArray(SimtEmitter &e, mlir::Operation *op,
                                        unsigned i);

} // namespace shoal::gpu::simt

#endif // SHOAL_LIB_CODEGEN_GPU_SIMT_SIMTEMITTER_H
