// The partitioner: rewrites functions from global shapes with shardings to
// what one device computes. Shared by the files of this folder.
#ifndef SHOAL_LIB_PARTITION_PARTITIONER_H
#define SHOAL_LIB_PARTITION_PARTITIONER_H

#include "LocalBuilder.h"
#include "shoal/Analysis/OpForm.h"

#include "dialects/StableHLO/StableHLO.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace shoal {

/// On arguments and results of partitioned functions: the global type.
constexpr llvm::StringLiteral kGlobalTypeAttr = "shoal.global_type";

/// What one device holds of a value, and where the rest is.
struct LocalValue {
  mlir::Value value;
  PlacementState state;
};

class Partitioner {
public:
  explicit Partitioner(MeshModel &mesh) : mesh(mesh) {}

  /// Replaces the function's body and type by the device-local ones. The
  /// entry's arguments and results keep their shardings as attributes, with
  /// their global types beside them.
  mlir::LogicalResult partitionFunction(mlir::func::FuncOp func);

private:
  friend class OpLowering;
  MeshModel &mesh;

  // Partition.cpp: blocks, values, control flow.
  mlir::LogicalResult partitionBlock(mlir::Block &from, LocalBuilder &b);
  mlir::LogicalResult partitionOp(mlir::Operation *op, LocalBuilder &b);
  mlir::LogicalResult partitionCollective(mlir::Operation *op, LocalBuilder &b);
  // ControlFlow.cpp
  mlir::LogicalResult partitionWhile(mlir::Operation *op, LocalBuilder &b);
  mlir::LogicalResult partitionBranches(mlir::Operation *op, LocalBuilder &b);
  mlir::LogicalResult partitionManual(mlir::Operation *op, LocalBuilder &b);
  mlir::LogicalResult partitionRegion(mlir::Region &from, mlir::Region &into,
                                      llvm::ArrayRef<PlacementState> args,
                                      llvm::ArrayRef<PlacementState> yields,
                                      LocalBuilder &b);
  // LowerOp.cpp
  mlir::LogicalResult partitionByRule(mlir::Operation *op, OpModel &model,
                                      LocalBuilder &b);
  mlir::LogicalResult partitionComposite(mlir::Operation *op,
                                         mlir::func::FuncOp body,
                                         OpModel &model, const OpForm &form,
                                         llvm::ArrayRef<mlir::Value> operands,
                                         LocalBuilder &b);
  mlir::LogicalResult partitionReplicated(mlir::Operation *op, LocalBuilder &b);
  OpForm formOf(mlir::Operation *op, OpModel &model);
  /// Says why an operand that is cut must be whole here.
  void remarkGather(mlir::Operation *op, OpModel &model, const OpForm &form,
                    size_t operand, const PlacementState &want);

  /// The value as placed by `want`: resharded if it is placed otherwise.
  mlir::Value get(mlir::Value old, const PlacementState &want,
                  mlir::Operation *user, LocalBuilder &b);
  void set(mlir::Value old, mlir::Value local, const PlacementState &state);
  /// The placement of an op's result by its shoal.shardings attribute.
  PlacementState resultState(mlir::Operation *op, unsigned result);
  bool hasResultState(mlir::Operation *op);
  mlir::Type localType(mlir::Type type, const PlacementState &state);

  llvm::DenseMap<mlir::Value, LocalValue> values;
  /// Reshards already made, innermost region last: what was made in a region
  /// is not visible after it.
  std::vector<std::map<std::pair<void *, std::vector<int64_t>>, mlir::Value>>
      reshards{1};
};

/// Removes what speaks of shardings from an op and what is nested in it.
void stripShardings(mlir::Operation *op);

/// The body, a function of scalars, on whole tensors of equal shape: `args` for
/// its arguments (converted to their types). See isElementwiseBody.
llvm::SmallVector<mlir::Value> inlineBody(mlir::Region &body,
                                          llvm::ArrayRef<mlir::Value> args,
                                          LocalBuilder &b);

/// Uses the value that an argmax gives beside the index instead of reducing a
/// second time with max (or min).
void reuseSelectedValues(mlir::func::FuncOp func);

/// A value placed by `from` brought to `to`: planned, then emitted step by
/// step as collectives that carry `reason` and the location of `user`.
/// `shape` is the global shape.
mlir::Value emitReshard(mlir::Value value, llvm::ArrayRef<int64_t> shape,
                        const PlacementState &from, const PlacementState &to,
                        llvm::StringRef reason, mlir::Location provenance,
                        MeshModel &mesh, LocalBuilder &b);

/// The device-local ops for one op in a given form.
class OpLowering {
public:
  OpLowering(mlir::Operation *op, const OpModel &model, const OpForm &form,
             MeshModel &mesh, LocalBuilder &b)
      : op(op), model(model), form(form), mesh(mesh), b(b) {}
  /// `operands` are placed as the form demands. Fails with a diagnostic.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  lower(llvm::SmallVector<mlir::Value> operands);

private:
  mlir::Operation *op;
  const OpModel &model;
  const OpForm &form;
  MeshModel &mesh;
  LocalBuilder &b;

  llvm::SmallVector<mlir::Type> localResultTypes();
  void maskReducedPadding(llvm::SmallVector<mlir::Value> &operands);
  llvm::SmallVector<mlir::Value>
  cloneLocal(llvm::ArrayRef<mlir::Value> operands);
  bool isCut(size_t tensor, int64_t dim);
  int64_t blockOf(size_t tensor, int64_t dim);
  AtomList atomsOf(size_t tensor, int64_t dim);
  /// First global index of this device's block of the dimension, tensor<i32>.
  mlir::Value offsetOf(size_t tensor, int64_t dim);

  // LowerIndexed.cpp
  /// The access that gather and scatter make, taken apart.
  struct IndexedAccess {
    /// A dimension of the input that starts or windows move along.
    struct Component {
      int64_t dim;       ///< of the input
      int64_t vectorAt;  ///< place in the index vectors; -1: starts at 0
      int64_t slicesDim; ///< whose elements are positions; -1: none
      int64_t sliceSize;
      bool covers; ///< slices have all of the dimension
    };
    size_t input = 0, slices = 0; ///< tensors of the rule
    int64_t vectorDim = 0;        ///< of the indices
    llvm::SmallVector<Component> components;
    /// Dimensions of the slices: batch, expanded, and both in the order that
    /// the new indices have them.
    llvm::SmallVector<int64_t> batchDims, expanded, positions;
    llvm::SmallVector<int64_t> expandedInput; ///< of the input, as `expanded`

    void addComponents(OpLowering &lowering, llvm::ArrayRef<int64_t> startMap,
                       llvm::ArrayRef<int64_t> windowToInput,
                       llvm::ArrayRef<int64_t> windowDims,
                       llvm::ArrayRef<int64_t> inserted);
    /// No element that an index addresses can be on another device.
    bool isLocal(OpLowering &lowering) const;
    llvm::SmallVector<int64_t>
    mapIndicesDims(llvm::ArrayRef<int64_t> indicesDims) const;
  };
  std::pair<mlir::Value, mlir::Value>
  makeLocalIndices(mlir::Value indices, const IndexedAccess &access,
                   bool clamped);
  llvm::SmallVector<mlir::Value> lowerGather(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value> lowerScatter(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value> lowerDynamicSlice(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value>
      lowerDynamicUpdateSlice(llvm::ArrayRef<mlir::Value>);
  // LowerReduce.cpp
  bool isMerged();
  llvm::SmallVector<mlir::Value> lowerMergedReduce(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value> lowerPickingReduce(llvm::ArrayRef<mlir::Value>);
  mlir::Value gatherParts(mlir::Value part, llvm::ArrayRef<uint8_t> atoms);
  // LowerOrdered.cpp: factor `f` is cut although its elements come in order.
  llvm::SmallVector<mlir::Value> lowerOrdered(llvm::ArrayRef<mlir::Value>,
                                              int64_t f);
  llvm::SmallVector<mlir::Value> lowerTopK(llvm::ArrayRef<mlir::Value>,
                                           int64_t f);
  llvm::SmallVector<mlir::Value> lowerScan(llvm::ArrayRef<mlir::Value>,
                                           int64_t f);
  // LowerSort.cpp
  llvm::SmallVector<mlir::Value> lowerSort(llvm::ArrayRef<mlir::Value>,
                                           int64_t f);
  // LowerSolve.cpp
  llvm::SmallVector<mlir::Value> lowerSolve(llvm::ArrayRef<mlir::Value>,
                                            int64_t f);
  // LowerFft.cpp
  llvm::SmallVector<mlir::Value> lowerFft(llvm::ArrayRef<mlir::Value>);
  mlir::Value transformAlong(mlir::Value value, int64_t dim, int64_t length,
                             mlir::stablehlo::FftType type);
  mlir::Value dividedTransform(mlir::Value value);
  /// Blocks of everyone joined along `dim`, padded to whole blocks.
  mlir::Value allGather(mlir::Value part, int64_t dim,
                        llvm::ArrayRef<uint8_t> atoms, llvm::StringRef what);
  /// Whether the elements along a dimension (global size, block, cut by atoms)
  /// are real ones: i1 of the local length; null if all are, always.
  mlir::Value validAlong(int64_t size, int64_t block,
                         llvm::ArrayRef<uint8_t> atoms);
  // LowerRandom.cpp
  llvm::SmallVector<mlir::Value> lowerRandomBits(llvm::ArrayRef<mlir::Value>);
  // LowerWindow.cpp
  /// The stretch [offset + i*step, + width) of a cut dimension, i being this
  /// device's part; outside the dimension `fill`, or anything. The dimension
  /// may be taken to end at `size` already.
  mlir::Value fetch(mlir::Value operand, size_t tensor, int64_t dim,
                    int64_t offset, int64_t step, int64_t width,
                    mlir::Value fill, int64_t size = -1);
  /// The same out of a tensor that every device has as a whole.
  mlir::Value takeWindow(mlir::Value whole, int64_t dim,
                         llvm::ArrayRef<uint8_t> atoms, int64_t offset,
                         int64_t step, int64_t width, mlir::Value fill,
                         int64_t size);
  /// Where a dimension is cut and read through windows: the stretch that this
  /// device's part of the op reads (see OpModel::stretch).
  std::optional<WindowStretch>
  fetchWindow(mlir::Value &operand, size_t tensor, int64_t dim,
              llvm::function_ref<mlir::Value()> makeFill = nullptr);
  mlir::Value pickElement(mlir::Value value, int64_t dim, int64_t at);
  /// Out of a stretch with all taps of this device's windows: what its share
  /// of the taps reads. Base dilation and edge padding are carried out on it.
  mlir::Value takeTaps(mlir::Value value, size_t tensor, int64_t dim,
                       WindowStretch &stretch, mlir::Value fill);
  llvm::SmallVector<mlir::Value> lowerSlice(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value> lowerPad(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value> lowerReverse(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value> lowerConcatenate(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value> lowerConvolution(llvm::ArrayRef<mlir::Value>);
  llvm::SmallVector<mlir::Value> lowerReduceWindow(llvm::ArrayRef<mlir::Value>);
  // LowerSelectAndScatter.cpp
  llvm::SmallVector<mlir::Value>
      lowerSelectAndScatter(llvm::ArrayRef<mlir::Value>);
  // LowerSource.cpp
  llvm::SmallVector<mlir::Value> lowerConstant();
  llvm::SmallVector<mlir::Value> lowerIota();
};

} // namespace shoal

#endif // SHOAL_LIB_PARTITION_PARTITIONER_H
