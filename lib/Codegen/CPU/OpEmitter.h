// How an op becomes code: the one registry the kernel emitter asks.
//
// Three kinds of emitter, in the order to try them:
//
//  scalar   result[i] = f(operand0[i], operand1[i], …): give the code of f on
//           carriers (Scalar.h). The same code serves bodies of reduce, map,
//           scatter, sort, …
//  element  result[i] is any function of elements of the operands: ask the
//           ElementEmitter for operand elements at any index (operands may be
//           fused producers, not only arrays). Loops and branches are allowed.
//  buffer   the op makes its whole result at once (sort, scatter, FFT …), is a
//           kernel of its own, and may work in place or call the runtime.
//
// Registration happens in the register…Ops functions at the end; each may be
// called once per registry. An op registered twice takes the later emitter.
#ifndef SHOAL_LIB_CODEGEN_CPU_OPEMITTER_H
#define SHOAL_LIB_CODEGEN_CPU_OPEMITTER_H

#include "IndexExpr.h"
#include "Scalar.h"

#include "mlir/IR/Operation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>

namespace shoal::cpu {

/// Rough cost of computing one element of a scalar op; the fuser never
/// computes a Costly op twice to save a buffer, and grain sizes follow it.
enum class OpCost { Free = 0, Cheap = 1, Medium = 4, Costly = 16 };

/// A mutable local (accumulator, flag, loop-carried value); promoted to
/// registers by LLVM.
struct Variable {
  mlir::Type elementType;
  llvm::Value *re = nullptr;
  llvm::Value *im = nullptr;
};

/// What element and buffer emitters work with.
class ElementEmitter {
public:
  virtual ~ElementEmitter() = default;

  IRBuilder &ir() { return builder; }
  llvm::Module &module();

  /// Element of `tensor` (an op's operand) at `index`; index must be within
  /// the shape. Computed once per index in a scope.
  virtual Scalar element(mlir::Value tensor, llvm::ArrayRef<IndexExpr> index) = 0;

  /// The i64 value of an index expression.
  llvm::Value *value(const IndexExpr &expr);
  /// An i64 value that lies in [lower, upper] as an index expression.
  IndexExpr expr(llvm::Value *value, int64_t lower, int64_t upper);
  /// A carrier integer of `elementType`, extended to i64 by its signedness.
  llvm::Value *toIndex(Scalar integer, mlir::Type elementType);
  /// Row-major number of the element at `index` in `shape`, and back.
  IndexExpr linearize(llvm::ArrayRef<IndexExpr> index,
                      llvm::ArrayRef<int64_t> shape);
  Index delinearize(const IndexExpr &linear, llvm::ArrayRef<int64_t> shape);
  /// Quotient and remainder by a positive constant, as expressions.
  std::pair<IndexExpr, IndexExpr> divMod(const IndexExpr &expr,
                                         int64_t divisor);

  /// for (i = 0; i < count; ++i) body(i). Nothing for count <= 0.
  void forLoop(int64_t count, llvm::function_ref<void(IndexExpr)> body);
  /// The same with bounds known at run time only; every i is in [0, maxUpper).
  void forLoop(llvm::Value *lower, llvm::Value *upper, int64_t maxUpper,
               llvm::function_ref<void(IndexExpr)> body);
  /// Nest over all indices of `shape`, last dimension innermost.
  void forShape(llvm::ArrayRef<int64_t> shape,
                llvm::function_ref<void(llvm::ArrayRef<IndexExpr>)> body);
  /// while (cond()) body().
  void whileLoop(llvm::function_ref<llvm::Value *()> cond,
                 llvm::function_ref<void()> body);
  void ifThenElse(llvm::Value *cond, llvm::function_ref<void()> then,
                  llvm::function_ref<void()> otherwise = nullptr);
  /// cond ? then() : otherwise() by a branch; no loads happen on the other side.
  Scalar branch(llvm::Value *cond, mlir::Type elementType,
                llvm::function_ref<Scalar()> then,
                llvm::function_ref<Scalar()> otherwise);
  /// 0 <= expr < bound as an i1 (a constant where the ranges decide it).
  llvm::Value *inBounds(const IndexExpr &expr, int64_t bound);

  Variable variable(mlir::Type elementType);
  Scalar get(const Variable &variable);
  void set(const Variable &variable, Scalar value);

  /// Inlines a region of scalar (rank-0) ops, a reducer's or comparator's
  /// body, at the insertion point. Returns the terminator's operands.
  llvm::SmallVector<Scalar> inlineRegion(mlir::Region &region,
                                         llvm::ArrayRef<Scalar> arguments);
  /// While set, float ops are emitted with LLVM's flags reassoc and nsz: for
  /// combining values in an order the program leaves open (reductions),
  /// nothing else.
  struct Reassociate {
    explicit Reassociate(ElementEmitter &e);
    ~Reassociate();
    ElementEmitter &emitter;
    llvm::FastMathFlags saved;
  };

  /// Bytes of aligned local memory, for the length of the kernel. Small sizes
  /// are on the stack, others in the launcher's scratch.
  virtual llvm::Value *localBuffer(int64_t bytes);

  /// Calls a C function of the runtime by name. `readNone`: no memory effect.
  llvm::CallInst *call(llvm::StringRef function, llvm::Type *result,
                       llvm::ArrayRef<llvm::Value *> arguments,
                       bool readNone = false);

  /// Reports that `op` cannot be emitted (with a location and what would
  /// help); emission goes on with poison and the compilation fails.
  Scalar fail(mlir::Operation *op, const llvm::Twine &message);
  bool hasFailed() const { return failed; }

  // --- For the core's own emitters. ---

  /// Makes `result` what element(tensor, index) gives in this scope.
  void remember(mlir::Value tensor, llvm::ArrayRef<IndexExpr> index,
                Scalar result);
  const Scalar *recall(mlir::Value tensor, llvm::ArrayRef<IndexExpr> index);
  IndexVar *newVar(llvm::Value *value, int64_t lower, int64_t upper);
  /// The part (whole / stride) mod range of a variable with lower bound 0.
  IndexVar *part(IndexVar *whole, int64_t stride, int64_t range);
  /// Joins parts of one variable into larger parts where coefficients allow.
  IndexExpr simplify(IndexExpr expr);
  /// An index of `shape` whose dimensions are parts of one variable, or the
  /// variable itself if only one dimension is larger than 1.
  Index splitVar(IndexVar *whole, llvm::ArrayRef<int64_t> shape);
  /// Loops over all indices of `shape` with as few loops as possible: adjacent
  /// dimensions become one loop unless somebody needs their indices apart.
  /// What is needed is found by the dry run; `site` names the place in both.
  /// `parallel`: no iteration depends on memory that another one writes.
  void forSpace(llvm::ArrayRef<int64_t> shape, const void *site,
                llvm::function_ref<void(llvm::ArrayRef<IndexExpr>)> body,
                bool parallel = false);
  /// A loop whose iterations do not depend on memory that others write.
  virtual void parallelLoop(llvm::Value *lower, llvm::Value *upper,
                            int64_t maxUpper,
                            llvm::function_ref<void(IndexExpr)> body) {
    forLoop(lower, upper, maxUpper, body);
  }
  /// How forSpace groups dimensions: [first, last] of each loop.
  llvm::SmallVector<std::pair<unsigned, unsigned>>
  loopGroups(llvm::ArrayRef<int64_t> shape, const void *site);
  /// Values computed in an inner block are not available after it.
  void pushScope() { scopes.emplace_back(); }
  void popScope() { scopes.pop_back(); }

  /// Strides at which merged loops must be cut, by site. Filled by a dry run
  /// (in which everything is merged), obeyed by the real one.
  using Splits = std::map<const void *, std::set<int64_t>>;

protected:
  ElementEmitter(llvm::Function *function, Splits &splits, bool dryRun);

  IRBuilder builder;
  llvm::Function *function;
  Splits &splits;
  bool dryRun;
  bool failed = false;
  int64_t scratchBytes = 0;
  llvm::Value *scratchBase = nullptr;
  /// The branch that closes the loop emitted last; null if there was none.
  llvm::Instruction *lastLatch = nullptr;

private:
  struct Memo {
    mlir::Value tensor;
    Index index;
    Scalar result;
  };
  struct Scope {
    std::unordered_multimap<size_t, Memo> memo;
  };
  std::vector<Scope> scopes;
  std::deque<IndexVar> vars;
  std::map<std::tuple<IndexVar *, int64_t, int64_t>, IndexVar *> parts;

  llvm::Value *materialize(IndexVar *var);
};

/// What a buffer emitter works with: elements of (fused) operands, and the
/// memory of the op's results.
class BufferEmitter {
public:
  BufferEmitter(ElementEmitter &e, llvm::Value *chunkBegin,
                llvm::Value *chunkEnd)
      : e(e), chunkBegin(chunkBegin), chunkEnd(chunkEnd) {}
  virtual ~BufferEmitter() = default;

  ElementEmitter &e;
  /// The chunks to run, i64: [chunkBegin, chunkEnd).
  llvm::Value *chunkBegin;
  llvm::Value *chunkEnd;

  /// Address of an operand that is an array in memory; null if it is computed
  /// by a fused producer (never null for emitters with `operandsInMemory`).
  virtual llvm::Value *pointer(mlir::Value operand) = 0;
  /// Address of result number `i`.
  virtual llvm::Value *result(unsigned i) = 0;
  /// Element of a result (read back what was stored), and storing it.
  virtual Scalar load(unsigned result, llvm::ArrayRef<IndexExpr> index) = 0;
  virtual void store(unsigned result, llvm::ArrayRef<IndexExpr> index,
                     Scalar value) = 0;
  /// Fills result `i` with operand `operand` where they are not one buffer
  /// (in-place ops). Covers the whole tensor: call it in single-chunk kernels.
  virtual void copyOperand(unsigned result, mlir::Value operand) = 0;
};

struct OpEmitter {
  enum class Kind { Scalar, Element, Buffer };
  Kind kind = Kind::Scalar;
  OpCost cost = OpCost::Cheap;

  std::function<Scalar(mlir::Operation *, llvm::ArrayRef<Scalar>,
                       ElementEmitter &)>
      scalar;
  std::function<Scalar(mlir::Operation *, unsigned result,
                       llvm::ArrayRef<IndexExpr>, ElementEmitter &)>
      element;

  std::function<void(mlir::Operation *, BufferEmitter &)> buffer;
  /// Buffer emitters: number of independent chunks (default 1).
  std::function<int64_t(mlir::Operation *)> chunks;
  /// Buffer emitters: operands must be arrays, not fused producers.
  bool operandsInMemory = false;
  /// Buffer emitters: the operand each result may overwrite, or -1.
  std::function<llvm::SmallVector<int>(mlir::Operation *)> overwrites;
  /// Estimated flops of the op; default: elements of the results times cost.
  std::function<int64_t(mlir::Operation *)> flops;
};

class OpEmitters {
public:
  /// f(op, operands, emitter) -> Scalar. The emitter is there for ir(), call()
  /// and fail(); a scalar op must not ask it for elements.
  template <typename OpT, typename Fn>
  void scalar(Fn fn, OpCost cost = OpCost::Cheap) {
    OpEmitter emitter;
    emitter.kind = OpEmitter::Kind::Scalar;
    emitter.cost = cost;
    emitter.scalar = [fn](mlir::Operation *op, llvm::ArrayRef<Scalar> operands,
                          ElementEmitter &e) {
      return fn(llvm::cast<OpT>(op), operands, e);
    };
    add(OpT::getOperationName(), std::move(emitter));
  }
  /// f(op, resultNumber, index, emitter) -> Scalar.
  template <typename OpT, typename Fn>
  void element(Fn fn, OpCost cost = OpCost::Costly) {
    OpEmitter emitter;
    emitter.kind = OpEmitter::Kind::Element;
    emitter.cost = cost;
    emitter.element = [fn](mlir::Operation *op, unsigned result,
                           llvm::ArrayRef<IndexExpr> index, ElementEmitter &e) {
      return fn(llvm::cast<OpT>(op), result, index, e);
    };
    add(OpT::getOperationName(), std::move(emitter));
  }
  /// f(op, bufferEmitter). Set the other fields on the returned reference.
  template <typename OpT, typename Fn> OpEmitter &buffer(Fn fn) {
    OpEmitter emitter;
    emitter.kind = OpEmitter::Kind::Buffer;
    emitter.cost = OpCost::Costly;
    emitter.buffer = [fn](mlir::Operation *op, BufferEmitter &b) {
      fn(llvm::cast<OpT>(op), b);
    };
    return add(OpT::getOperationName(), std::move(emitter));
  }

  OpEmitter &add(llvm::StringRef name, OpEmitter emitter) {
    return emitters[name] = std::move(emitter);
  }
  /// Null if the op has no CPU code.
  const OpEmitter *lookup(mlir::Operation *op) const {
    auto it = emitters.find(op->getName().getStringRef());
    return it == emitters.end() ? nullptr : &it->second;
  }

  /// All emitters of the CPU target, made on first use.
  static const OpEmitters &get();

private:
  llvm::StringMap<OpEmitter> emitters;
};

/// Shape and data movement, dots, reductions, in-place updates (the core).
void registerIndexOps(OpEmitters &emitters);
void registerReduceOps(OpEmitters &emitters);
/// if, case and while in scalar bodies.
void registerControlOps(OpEmitters &emitters);
void registerDotOps(OpEmitters &emitters);
void registerUpdateOps(OpEmitters &emitters);
/// All elementwise ops but the index ops: MathOps.cpp.
void registerMathOps(OpEmitters &emitters);
/// sort, reduce_window, select_and_scatter, convolution, fft, rng, cholesky,
/// triangular_solve …: the files of Special/.
void registerSpecialOps(OpEmitters &emitters);

} // namespace shoal::cpu

#endif // SHOAL_LIB_CODEGEN_CPU_OPEMITTER_H
