// Whether one rank can stand for all in a simulation.
#ifndef SHOAL_LIB_SIMULATE_RANKSDIFFER_H
#define SHOAL_LIB_SIMULATE_RANKSDIFFER_H

#include "shoal/runtime/Program.h"

namespace shoal::simulation {

/// Whether a branch or loop depends on the rank's number, or ranks exchange
/// messages, or groups leave ranks out.
bool ranksDiffer(const program::View &program);

} // namespace shoal::simulation

#endif // SHOAL_LIB_SIMULATE_RANKSDIFFER_H
