// The comm dialect: collectives on tensors over mesh axes.
#ifndef DIALECTS_COMM_COMM_H
#define DIALECTS_COMM_COMM_H

#include "dialects/Shoal/Shoal.h"

#include "dialects/Comm/CommDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Comm/CommAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Comm/CommTypes.h.inc"

#include "dialects/Comm/CommInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialects/Comm/Comm.h.inc"

namespace shoal::comm {
/// Bytes of a local tensor as buffers hold it: sub-byte elements take one.
/// 0 for types without a static shape.
int64_t getTensorBytes(mlir::Type type);
} // namespace shoal::comm

#endif // DIALECTS_COMM_COMM_H
