#include "shoal/Import/Passes.h"
#include "dialects/Comm/Comm.h"
#include "dialects/SDY/SDY.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

namespace shoal {
#define GEN_PASS_DEF_FLATTENTUPLESPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal
namespace {
struct FlattenTuplesPass : shoal::impl::FlattenTuplesPassBase<FlattenTuplesPass> {
  void runOnOperation() override {}
};
} // namespace
