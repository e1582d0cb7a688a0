#include "Special.h"

void shoal::cpu::registerSpecialOps(OpEmitters &emitters) {
  registerSortOps(emitters);
  registerReduceWindowOps(emitters);
  registerSelectAndScatterOps(emitters);
  registerConvolutionOps(emitters);
  registerRuntimeCallOps(emitters);
}
