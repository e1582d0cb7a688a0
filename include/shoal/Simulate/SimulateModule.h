// Simulation of a module in phase `scheduled`.
#ifndef SHOAL_SIMULATE_SIMULATEMODULE_H
#define SHOAL_SIMULATE_SIMULATEMODULE_H

#include "shoal/Simulate/Simulator.h"

#include "mlir/IR/BuiltinOps.h"

namespace shoal {

/// Encodes the module's program and simulates it. With `trace`, options.trace
/// is set and the timeline in Chrome's format is written there. Fails with a diagnostic where the program
/// cannot be encoded; one that does not end is Simulation::error.
mlir::FailureOr<Simulation> simulateModule(mlir::ModuleOp module,
                                           SimulationOptions options,
                                           std::string *trace = nullptr);

} // namespace shoal

#endif // SHOAL_SIMULATE_SIMULATEMODULE_H
