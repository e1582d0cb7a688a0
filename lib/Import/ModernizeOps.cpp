#include "shoal/Import/Passes.h"
#include "dialects/Comm/Comm.h"
#include "dialects/SDY/SDY.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

namespace shoal {
#define GEN_PASS_DEF_MODERNIZEOPSPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal
namespace {
struct ModernizeOpsPass : shoal::impl::ModernizeOpsPassBase<ModernizeOpsPass> {
  void runOnOperation() override {}
};
} // namespace
