// An attribute of floating point additions and multiplications.
#ifndef SHOAL_SUPPORT_CONTRACT_H
#define SHOAL_SUPPORT_CONTRACT_H

#include "llvm/ADT/StringRef.h"

namespace shoal {

/// A product that carries this unit attribute and is added where this is, too,
/// need not be rounded in between (LLVM's `contract`). Functions written as
/// series carry it: that is how XLA computes them, and where their terms cancel
/// it shows in many units of the last place.
inline constexpr llvm::StringLiteral kContractAttr = "shoal.contract";

} // namespace shoal

#endif // SHOAL_SUPPORT_CONTRACT_H
