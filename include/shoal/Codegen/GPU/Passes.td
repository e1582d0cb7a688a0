// Passes of lib/Codegen/GPU.
#ifndef SHOAL_CODEGEN_GPU_PASSES_TD
#define SHOAL_CODEGEN_GPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def CompileGpuKernels : Pass<"shoal-compile-gpu-kernels", "::mlir::ModuleOp"> {
  let summary = "Makes device code of the module's kernels";
  let description = [{
    Compiles every `plan.kernel` for one chip: the first strategy that takes it
    makes LLVM IR of it, kernels that share a module become PTX and then a cubin,
    kept in a `gpu.binary` with the PTX beside it. The kernel's attribute
    `plan.gpu` says how it is launched. What --target=cuda does after phase
    `scheduled`.

    ```mlir
    plan.kernel @add(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> { … }
    // gets the attributes
    //   symbol = "shoal_add", plan.gpu = [#plan.gpu_launch<@shoal_images_0 "shoal_add" grid = [1] block = 256>]
    // and the module
    gpu.binary @shoal_images_0 [#gpu.object<#nvvm.target<chip = "sm_90a">, bin = "…">, …]
    ```
  }];
  let dependentDialects = ["::shoal::plan::PlanDialect", "::mlir::gpu::GPUDialect",
                           "::mlir::NVVM::NVVMDialect", "::shoal::tile::TileDialect",
                           "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_90a\"", "The chip to compile for">,
    Option<"strategy", "strategy", "std::string", "\"\"",
           "Use this strategy where it takes the kernel, and the last one else">,
    Option<"fatalSpills", "fatal-spills", "bool", "false",
           "Registers that a performance kernel spills are errors">,
    Option<"allowTf32", "allow-tf32", "bool", "false",
           "Products of f32 with precision DEFAULT may run in tf32">,
    Option<"dump", "dump", "std::string", "\"\"",
           "Folder for LLVM IR and PTX of each module">,
    Option<"assembly", "print", "std::string", "\"\"",
           "Print the code of each module instead of assembling it: llvm or ptx">
  ];
}

#endif // SHOAL_CODEGEN_GPU_PASSES_TD
