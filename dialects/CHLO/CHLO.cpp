// The dialect and what it registers.
#include "dialects/CHLO/CHLO.h"

using namespace mlir;
using namespace mlir::chlo;

#include "dialects/CHLO/CHLODialect.cpp.inc"
#include "dialects/CHLO/CHLOEnums.cpp.inc"

void ChloDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/CHLO/CHLO.cpp.inc"
      >();
  registerBytecode();
}
