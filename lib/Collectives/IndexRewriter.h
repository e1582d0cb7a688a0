// A function's ops along an index: what is the same whether a device computes
// every part of it, one after another, or only its own.
#ifndef SHOAL_COLLECTIVES_INDEXREWRITER_H
#define SHOAL_COLLECTIVES_INDEXREWRITER_H

#include "IndexClasses.h"
#include "PartClones.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace shoal {

/// Goes through a function in program order and has subclasses replace ops by
/// ops on parts. Loops, branches and barriers pass parts on; what still reads a
/// value that comes in parts, at the end, reads them joined.
class IndexRewriter {
public:
  virtual ~IndexRewriter() = default;

  /// Rewrites the function; what was replaced is erased.
  void run(mlir::func::FuncOp func);

protected:
  /// Those parts of a value that this program holds.
  using Parts = llvm::SmallVector<mlir::Value, 4>;
  struct InParts {
    Parts parts;
    unsigned dim;
  };

  /// Of the `parts` parts of each value the program holds `held`.
  IndexRewriter(const IndexClasses &classes, int64_t parts, unsigned held)
      : classes(classes), parts(parts), held(held), freeParts(classes, parts) {}

  /// An op that is neither control flow nor a barrier: `setParts` of results
  /// that come in parts now, `finish` if nothing needs the op any more.
  virtual void visitOp(mlir::Operation *op) = 0;
  /// The dimension along which a result of a loop, a branch or a barrier is
  /// passed on in parts, if it is.
  virtual std::optional<unsigned> dimPassedOn(mlir::OpResult result) = 0;
  /// The whole of a value from its parts.
  virtual mlir::Value join(mlir::Value value, const InParts &from) = 0;
  /// The parts along a dimension of a value that does not come in them.
  virtual Parts cut(mlir::Value value, unsigned dim) = 0;

  bool isInParts(mlir::Value value) const { return made.contains(value); }
  void setParts(mlir::Value value, Parts parts, unsigned dim) {
    made[value] = {std::move(parts), dim};
  }
  /// Null where the value does not come in parts.
  const InParts *inParts(mlir::Value value) const {
    auto found = made.find(value);
    return found == made.end() ? nullptr : &found->second;
  }
  /// To be erased. Users are finished after what they use.
  void finish(mlir::Operation *op) { done.insert(op); }

  mlir::Value wholeOf(mlir::Value value);
  Parts partsOf(mlir::Value value, unsigned dim);
  /// Of each operand, what the op computed along the factor takes: its parts,
  /// or the whole once for each part.
  llvm::SmallVector<Parts> operandsAlong(mlir::Operation *op,
                                         const PartFactor &factor);

  const IndexClasses &classes;
  const int64_t parts;
  const unsigned held;

private:
  /// (result, dimension) of those that are passed on in parts. The first part
  /// takes the place of the whole, the others come last.
  using Carried = llvm::SmallVector<std::pair<unsigned, unsigned>>;

  void visit(mlir::Block &block);
  void visitRegions(mlir::Operation *op);
  void visitBarrier(mlir::Operation *op);
  void expandArguments(mlir::Block &block, const Carried &carried);
  Carried carriedBy(mlir::Operation *op);
  llvm::SmallVector<mlir::Value> expand(mlir::ValueRange values,
                                        const Carried &carried);
  llvm::SmallVector<Parts> collect(mlir::ValueRange expanded, size_t before,
                                   const Carried &carried);
  void joinWhatIsLeft();

  llvm::MapVector<mlir::Value, InParts> made;
  llvm::DenseMap<mlir::Value, mlir::Value> wholes;
  /// Parts of values that do not come in them.
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, Parts> cuts;
  FreeParts freeParts;
  llvm::SetVector<mlir::Operation *> done;
};

} // namespace shoal

#endif // SHOAL_COLLECTIVES_INDEXREWRITER_H
