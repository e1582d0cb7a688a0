// Simulation of a module in phase `scheduled`.
#ifndef SHOAL_SIMULATE_SIMULATEMODULE_H
#define SHOAL_SIMULATE_SIMULATEMODULE_H

#include "shoal/Simulate/Simulator.h"

#include "dialects/Plan/Plan.h"
#include "mlir/IR/BuiltinOps.h"

namespace shoal {

/// Seconds of a kernel by the roofline: its products' arithmetic against the
/// bytes it reads and writes. Of an operand that is only sliced or looked up in
/// the parts that are taken count, of a buffer that is updated in place the
/// update.
double kernelSeconds(plan::KernelOp kernel, const Hardware &hardware);

/// Encodes the module's program and simulates it. With `trace`, the timeline in
/// Chrome's format is written there. Fails with a diagnostic where the program
/// cannot be encoded; one that does not end is Simulation::error.
mlir::FailureOr<Simulation> simulateModule(mlir::ModuleOp module,
                                           SimulationOptions options,
                                           std::string *trace = nullptr);

} // namespace shoal

#endif // SHOAL_SIMULATE_SIMULATEMODULE_H
