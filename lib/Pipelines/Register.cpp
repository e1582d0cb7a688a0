#include "shoal/Pipelines/Register.h"

#include "shoal/Optimize/Pipelines.h"
#include "shoal/Codegen/GPU/Passes.h"
#include "shoal/Fuse/Passes.h"
#include "shoal/Package/Passes.h"
#include "shoal/Partition/Passes.h"

#include "dialects/CHLO/CHLO.h"
#include "dialects/Check/Check.h"
#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"
#include "dialects/SDY/SDY.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"
#include "dialects/Tile/Tile.h"
#include "dialects/VHLO/VHLO.h"
#include "shoal/Codegen/Contraction/Passes.h"
#include "shoal/Codegen/Tile/Passes.h"
#include "shoal/Collectives/Passes.h"
#include "shoal/Import/Passes.h"
#include "shoal/Analysis/ShardingRules.h"
#include "shoal/Propagate/Passes.h"
#include "shoal/Schedule/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectRegistry.h"

void shoal::registerAllDialects(mlir::DialectRegistry &registry) {
  registry.insert<mlir::func::FuncDialect, mlir::arith::ArithDialect,
                  mlir::linalg::LinalgDialect, mlir::math::MathDialect,
                  mlir::shape::ShapeDialect, mlir::scf::SCFDialect,
                  mlir::tensor::TensorDialect>();
  // Device code (gpu.binary).
  registry.insert<mlir::gpu::GPUDialect, mlir::NVVM::NVVMDialect>();
  // Quantized element types of StableHLO.
  registry.insert<mlir::quant::QuantDialect>();
  // What users write.
  registry.insert<mlir::chlo::ChloDialect>();
  registry.insert<mlir::check::CheckDialect>();
  registry.insert<mlir::sdy::SdyDialect>();
  registry.insert<mlir::stablehlo::StablehloDialect>();
  registry.insert<mlir::vhlo::VhloDialect>();
  // Our own.
  registry.insert<ShoalDialect>();
  registry.insert<comm::CommDialect>();
  registry.insert<plan::PlanDialect>();
  registry.insert<tile::TileDialect>();

  registerShardingRules(registry);
}

void shoal::registerAllPasses() {
  mlir::vhlo::registerVhloPasses();
  registerImportPasses();
  registerShoalPropagatePasses();
  registerShoalPropagatePipelines();
  registerShoalPartitionPasses();
  registerShoalPartitionPipelines();
  registerShoalOptimizePipelines();
  registerShoalCollectivesPasses();
  registerShoalFusePasses();
  registerShoalCodegenContractionPasses();
  registerShoalCodegenTilePasses();
  registerShoalFusePipelines();
  registerShoalCodegenGPUPasses();
  registerShoalPackagePasses();
  registerShoalSchedulePasses();
  registerSchedulePipelines();
  registerTestPrintRulesPass();
}
