// A function as a FormProblem: ops with the forms they may take, values with
// the placements these forms ask for.
#ifndef SHOAL_LIB_PROPAGATE_FORMGRAPH_H
#define SHOAL_LIB_PROPAGATE_FORMGRAPH_H

#include "FormProblem.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "shoal/Analysis/OpForm.h"
#include "llvm/ADT/DenseMap.h"

#include <map>
#include <memory>

namespace shoal::propagate {

class FormGraph {
public:
  /// Reads the shardings that propagation left on `func` and collects, for
  /// every op, the forms that its neighbours' placements suggest.
  FormGraph(mlir::func::FuncOp func, MeshModel &mesh);

  FormProblem problem;
  /// The choice that follows propagation.
  std::vector<uint8_t> initial;

  /// Bytes a device holds at most, in this choice: values and copies of them
  /// from their first to their last use, fusion left out of account.
  double peakBytes(llvm::ArrayRef<uint8_t> choice) const;
  /// Makes a byte of memory, held from begin to end, cost as much as `price`
  /// bytes sent.
  void setMemoryPrice(double price);
  /// Modelled cost of a choice without the price of memory, as bytes sent.
  double bytesOf(llvm::ArrayRef<uint8_t> choice);

  /// Writes `shoal.form` and `shoal.shardings` of the chosen candidates.
  void writeBack(llvm::ArrayRef<uint8_t> choice);

private:
  enum class Kind : uint8_t {
    Fixed, ///< placements are given: arguments, results, constraints, …
    Op,    ///< an op with a rule, one of `forms`
    Carry, ///< values that share one placement by data flow
  };
  struct NodeInfo {
    Kind kind = Kind::Fixed;
    mlir::Operation *op = nullptr;
    /// For carries of a loop or branch: which of the op's results.
    unsigned resultIndex = 0;
    std::shared_ptr<OpModel> model;
    std::vector<OpForm> forms;
    /// Forms that the first search leaves out (FormProblem::Candidate::late).
    std::vector<bool> late;
    /// Placements of each tensor that have been taken up as suggestions.
    llvm::SmallVector<unsigned, 4> seen;
    float frequency = 1;
  };
  struct Placements {
    llvm::SmallVector<int64_t, 4> shape;
    int64_t elementBytes = 4;
    std::vector<PlacementState> list;
  };

  void visitBlock(mlir::Block &block, float frequency);
  void visit(mlir::Operation *op, float frequency);
  void visitWhile(mlir::Operation *op, float frequency);
  void visitBranches(mlir::Operation *op, float frequency);
  void visitManual(mlir::Operation *op, float frequency);
  void visitIdentity(mlir::Operation *op, float frequency);
  void visitFixed(mlir::Operation *op, float frequency);

  int addValue(mlir::Value value, float frequency);
  int addNode(Kind kind, mlir::Operation *op, float frequency);
  void addUse(int node, mlir::Value value);
  void addDef(int node, mlir::Value value, float frequency);
  /// A node that only wants `value` as `state`, or only gives it so.
  void wantFixed(mlir::Operation *op, mlir::Value value,
                 const PlacementState &state);
  void giveFixed(mlir::Operation *op, mlir::Value value,
                 const PlacementState &state, float frequency);
  /// Index of a placement among those of the value; -1 when there are too many.
  int intern(int value, const PlacementState &state);
  bool isFull(int value) const;

  void suggestForms(int node);
  bool addForm(int node, const OpForm &form, bool late = false);
  void suggestCarry(int node);
  bool mayCarryPartial(int node) const;
  void finish();
  float computeCost(const NodeInfo &info, const OpForm &form) const;

  mlir::func::FuncOp func;
  MeshModel &mesh;
  std::vector<NodeInfo> infos;
  std::vector<Placements> placements; ///< per value
  llvm::DenseMap<mlir::Value, int> valueIds;
  std::vector<mlir::Value> valueOf;
  std::map<std::vector<int64_t>, std::unique_ptr<MoveCosts>> tables;
};

/// The placement of a value that propagation found; replicated without one.
PlacementState getPlacement(mlir::Value value, MeshModel &mesh);

} // namespace shoal::propagate

#endif // SHOAL_LIB_PROPAGATE_FORMGRAPH_H
