// Writes the scheduled program of a function, following a buffer plan.
#ifndef SHOAL_LIB_SCHEDULE_PROGRAMBUILDER_H
#define SHOAL_LIB_SCHEDULE_PROGRAMBUILDER_H

#include "BufferPlan.h"

#include "mlir/IR/Builders.h"

#include <map>

namespace shoal {

class ProgramBuilder {
public:
  ProgramBuilder(mlir::func::FuncOp func, const HostScalars &scalars,
                 const BufferPlan &plan)
      : func(func), scalars(scalars), plan(plan), b(func.getContext()) {}

  /// Builds the program beside the function; null, with a diagnostic, if an op
  /// cannot be scheduled.
  plan::ProgramOp build();

private:
  // Memory (ProgramBuilder.cpp).
  mlir::Value rootOf(unsigned storage);
  mlir::Value getFilled(const Storage &storage);
  /// The buffer of a device value at the insertion point.
  mlir::Value getBuffer(mlir::Value value);
  mlir::Value getView(mlir::Location loc, mlir::Value root, const Place &place,
                      plan::BufferType type);
  /// Like getBuffer; a host scalar is written to memory first.
  mlir::Value getOperandBuffer(mlir::Location loc, mlir::Value value);
  void copyInto(mlir::Location loc, mlir::Value value, mlir::Value dest);
  mlir::Value createTop(llvm::function_ref<mlir::Value()> create);

  // Host scalars (ProgramScalars.cpp).
  mlir::Type scalarType() { return plan::ScalarType::get(b.getContext()); }
  mlir::Value constant(int64_t value);
  mlir::Value binary(mlir::Location loc, plan::ScalarOpKind kind, mlir::Value a,
                     mlir::Value b);
  mlir::Value getScalar(mlir::Value value);
  /// What is known of a host scalar's values.
  struct Range {
    int64_t low, high;
  };
  Range rangeOf(mlir::Value scalar, unsigned depth = 0);
  /// A rank-0 integer wherever it is: a host scalar, or read from memory.
  mlir::Value readScalar(mlir::Location loc, mlir::Value value);
  mlir::LogicalResult emitHostOp(mlir::Operation *op);
  bool isAvailable(mlir::Value value);
  mlir::Value position(mlir::Location loc, plan::GroupAttr group);

  // Ops.
  mlir::LogicalResult emitBlock(mlir::Block &block);
  mlir::LogicalResult emitOp(mlir::Operation *op);
  mlir::LogicalResult emitLaunch(plan::LaunchOp launch);
  mlir::LogicalResult emitLoop(mlir::stablehlo::WhileOp loop);
  mlir::LogicalResult emitBranches(mlir::Operation *op, mlir::Value index);
  mlir::LogicalResult emitReturn(mlir::Operation *ret);
  void emitYieldCopies(mlir::Operation *yield,
                       llvm::function_ref<mlir::Value(unsigned)> dest);

  // Collectives (ProgramCollectives.cpp).
  mlir::LogicalResult emitCollective(mlir::Operation *op);
  mlir::FailureOr<plan::GroupAttr> getGroup(mlir::Operation *op);

  mlir::func::FuncOp func;
  const HostScalars &scalars;
  const BufferPlan &plan;
  mlir::OpBuilder b;
  plan::ProgramOp program;
  mlir::Operation *topEnd = nullptr; // declarations stand before this op

  llvm::DenseMap<unsigned, mlir::Value> roots;
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, mlir::Value>
      argHandles, resultHandles;
  llvm::DenseMap<std::pair<mlir::Value, mlir::Block *>, mlir::Value> viewCache,
      filled;
  llvm::DenseMap<mlir::Value, mlir::Value> scalarValues;
  std::map<int64_t, mlir::Value> constants; // of any value
  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Block *>, mlir::Value>
      positions;
  llvm::SmallVector<mlir::Value> arguments;
  int64_t trips = 1, copiedBytes = 0;
};

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_PROGRAMBUILDER_H
