#include "OpEmitter.h"

using namespace shoal::cpu;

const OpEmitters &OpEmitters::get() {
  static const OpEmitters *emitters = [] {
    auto *all = new OpEmitters;
    registerIndexOps(*all);
    registerReduceOps(*all);
    registerControlOps(*all);
    registerDotOps(*all);
    registerUpdateOps(*all);
    registerMathOps(*all);
    registerSpecialOps(*all);
    return all;
  }();
  return *emitters;
}
