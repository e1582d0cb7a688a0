// From a plan.program to the records of the table.
#ifndef SHOAL_LIB_PACKAGE_PROGRAMENCODER_H
#define SHOAL_LIB_PACKAGE_PROGRAMENCODER_H

#include "TableWriter.h"

#include "dialects/Plan/Plan.h"
#include "dialects/Shoal/Shoal.h"
#include "shoal/Package/Package.h"

#include "llvm/ADT/DenseMap.h"

namespace shoal {

class ProgramEncoder {
public:
  ProgramEncoder(mlir::ModuleOp module, plan::ProgramOp program,
                 const PackageOptions &options)
      : module(module), program(program), options(options) {}

  mlir::FailureOr<ProgramTable> encode();

private:
  // Entry, mesh and memory (ProgramEncoder.cpp).
  mlir::LogicalResult encodeMesh();
  mlir::LogicalResult encodeKernels();
  // Device code (EncodeImages.cpp).
  mlir::LogicalResult encodeGpuKernel(plan::KernelOp kernel);
  void appendLaunches();
  mlir::FailureOr<uint32_t> encodeImages(mlir::Operation *at,
                                         mlir::FlatSymbolRefAttr name);
  uint32_t addImage(program::ImageKind kind, llvm::StringRef chip,
                    llvm::StringRef bytes);
  mlir::LogicalResult encodeEntry();
  mlir::FailureOr<uint32_t> encodeSharding(mlir::Operation *at,
                                           ShardingAttr sharding,
                                           mlir::RankedTensorType global,
                                           llvm::ArrayRef<int64_t> local);
  mlir::FailureOr<uint32_t> encodeType(mlir::Operation *at,
                                       mlir::Type elementType,
                                       llvm::ArrayRef<int64_t> shape);
  uint32_t encodeGroup(plan::GroupAttr group);
  mlir::FailureOr<uint32_t> addSlot(mlir::Operation *at, plan::BufferType type,
                                    program::SlotKind kind, uint32_t ref,
                                    int64_t offset);
  mlir::LogicalResult declare(mlir::Operation *op);
  mlir::LogicalResult encodeConstant(plan::ConstantOp op);
  program::Str loc(mlir::Location location);

  // Instructions (EncodeInstructions.cpp).
  mlir::LogicalResult encodeBlock(mlir::Block &block);
  mlir::LogicalResult encodeOp(mlir::Operation *op);
  mlir::LogicalResult encodeView(plan::ViewOp op);
  void encodeCopy(plan::CopyOp op);
  mlir::LogicalResult encodeMatmul(plan::MatmulOp op);
  void encodeConvolution(plan::ConvolutionOp op);
  mlir::LogicalResult encodeCheck(plan::CheckOp op);
  mlir::LogicalResult encodeCollective(mlir::Operation *op);
  mlir::LogicalResult encodeFor(plan::ForOp op);
  mlir::LogicalResult encodeWhile(plan::WhileOp op);
  mlir::LogicalResult encodeCase(plan::CaseOp op);
  mlir::LogicalResult bindCarried(mlir::Operation *op, mlir::ValueRange args);
  void emitMoves(mlir::ValueRange to, mlir::ValueRange from, program::Str loc);
  int64_t reg(mlir::Value scalar);
  int64_t slot(mlir::Value buffer) { return slots.lookup(buffer); }
  int64_t event(mlir::Value value);

  mlir::ModuleOp module;
  plan::ProgramOp program;
  const PackageOptions &options;
  TableWriter table;
  std::vector<char> constantBytes, imageBytes;
  std::vector<std::vector<program::GpuKernel>> moreLaunches;
  MeshAttr mesh;

  llvm::DenseMap<mlir::Value, uint32_t> slots, registers, events;
  llvm::StringMap<uint32_t> kernelIndices, imageIndices;
  llvm::DenseMap<mlir::Attribute, uint32_t> groupIndices;
  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Attribute>, uint32_t>
      constantIndices;
  uint32_t numStreams = 1;
};

} // namespace shoal

#endif // SHOAL_LIB_PACKAGE_PROGRAMENCODER_H
