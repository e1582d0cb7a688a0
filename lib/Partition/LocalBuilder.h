// Small StableHLO fragments that the lowerings share: scalars, positions of a
// device, masks.
#ifndef SHOAL_LIB_PARTITION_LOCALBUILDER_H
#define SHOAL_LIB_PARTITION_LOCALBUILDER_H

#include "shoal/Analysis/MeshModel.h"
#include "shoal/Support/TensorTypes.h"

#include "mlir/IR/Builders.h"

namespace shoal {

class LocalBuilder : public mlir::OpBuilder {
public:
  LocalBuilder(mlir::Block *block, MeshModel &mesh);
  mlir::Location loc() const { return location; }
  void setLoc(mlir::Location loc) { location = loc; }
  MeshModel &meshModel() { return mesh; }

  mlir::RankedTensorType tensorType(llvm::ArrayRef<int64_t> shape,
                                    mlir::Type element) {
    return mlir::RankedTensorType::get(shape, element);
  }
  mlir::Type elementOf(mlir::Value value) {
    return typeOf(value).getElementType();
  }
  /// tensor<shape x element> filled with an attribute of the element type (or
  /// a rank-0 splat, for complex numbers).
  mlir::Value splat(llvm::ArrayRef<int64_t> shape, mlir::Type element,
                    mlir::Attribute scalar);
  mlir::Value zeros(mlir::RankedTensorType type);
  mlir::Value scalarInt(int64_t value, mlir::Type element);
  /// A scalar or smaller tensor spread over `shape`; `dims` says where its
  /// dimensions go.
  mlir::Value broadcast(mlir::Value value, llvm::ArrayRef<int64_t> shape,
                        llvm::ArrayRef<int64_t> dims = {});
  mlir::Value iota(llvm::ArrayRef<int64_t> shape, int64_t dim,
                   mlir::Type element);
  mlir::Value convert(mlir::Value value, mlir::Type element);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value logicalAnd(mlir::Value a, mlir::Value b);
  mlir::Value clamp(mlir::Value lo, mlir::Value value, mlir::Value hi);
  mlir::Value select(mlir::Value pred, mlir::Value a, mlir::Value b);
  enum class Compare { LT, GE, EQ };
  mlir::Value compare(Compare how, mlir::Value a, mlir::Value b);
  mlir::Value slice(mlir::Value value, int64_t dim, int64_t start,
                    int64_t limit);
  /// Zeros after (and before) a dimension.
  mlir::Value pad(mlir::Value value, int64_t dim, int64_t low, int64_t high,
                  mlir::Value fill);

  /// Position of this device among the atoms, tensor<i32>.
  mlir::Value axisIndex(llvm::ArrayRef<uint8_t> atoms);
  /// Keeps `value` where the global index of its dimension `dim` (block
  /// `block`, cut by `atoms`) is below `size`; elsewhere the scalar `fill`.
  mlir::Value maskPadding(mlir::Value value, int64_t dim,
                          llvm::ArrayRef<uint8_t> atoms, int64_t size,
                          mlir::Attribute fill);

  /// A summand that one device has (`value` there, `root` in the order of
  /// `atoms`) and that is neutral on the others: its sum is a broadcast.
  struct SingleOwner {
    mlir::Value value;
    int64_t root;
    AtomList atoms;
  };
  llvm::DenseMap<mlir::Value, SingleOwner> owned;

private:
  MeshModel &mesh;
  mlir::Location location;
};

} // namespace shoal

#endif // SHOAL_LIB_PARTITION_LOCALBUILDER_H
