// All of the dialect; the ops are in one file per family.

#ifndef SHOAL_STABLEHLO_TD
#define SHOAL_STABLEHLO_TD

include "dialects/StableHLO/ElementwiseOps.td"
include "dialects/StableHLO/ShapeOps.td"
include "dialects/StableHLO/ReductionOps.td"
include "dialects/StableHLO/LinearAlgebraOps.td"
include "dialects/StableHLO/IndexingOps.td"
include "dialects/StableHLO/CollectiveOps.td"
include "dialects/StableHLO/ControlFlowOps.td"
include "dialects/StableHLO/DynamicOps.td"

#endif // SHOAL_STABLEHLO_TD
