// Deterministic input values for --input=random.
#ifndef SHOAL_RUNTIME_RANDOM_H
#define SHOAL_RUNTIME_RANDOM_H

#include "shoal/runtime/Tensor.h"

namespace shoal::rt {

/// Fills a tensor: floats and both parts of complex numbers from a normal
/// distribution with standard deviation 0.1, integers uniformly from [0, 8)
/// (as far as the type goes), booleans evenly. The same seed and stream (the
/// argument's number) give the same values on every machine.
void fillRandom(HostTensor &tensor, uint64_t seed, uint64_t stream);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_RANDOM_H
