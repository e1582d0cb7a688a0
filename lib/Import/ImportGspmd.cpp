#include "shoal/Import/Passes.h"
#include "dialects/Comm/Comm.h"
#include "dialects/SDY/SDY.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

namespace shoal {
#define GEN_PASS_DEF_IMPORTGSPMDPASS
#include "shoal/Import/Passes.h.inc"
} // namespace shoal
namespace {
struct ImportGspmdPass : shoal::impl::ImportGspmdPassBase<ImportGspmdPass> {
  void runOnOperation() override {}
};
} // namespace
