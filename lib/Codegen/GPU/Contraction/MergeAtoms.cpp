// Loops that every tensor sees as one become one.

#include "Contraction.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

/// Finds how one list of dimensions sees the neighbours `major` and `minor`:
/// false if it tells them apart.
static bool sameLoop(ArrayRef<MemoryDim> memory, unsigned major, unsigned minor,
                     int64_t minorSize) {
  const MemoryDim *a = nullptr, *b = nullptr;
  for (const MemoryDim &dim : memory) {
    if (dim.atom == major)
      a = &dim;
    else if (dim.atom == minor)
      b = &dim;
    else if (llvm::any_of(dim.index.terms, [&](const Term &term) {
               return term.atom == major || term.atom == minor;
             }))
      return false;
  }
  return bool(a) == bool(b) && (!a || a->stride == b->stride * minorSize);
}

static void merge(SmallVectorImpl<MemoryDim> &memory, unsigned major,
                  unsigned minor, int64_t size) {
  llvm::erase_if(memory,
                 [&](const MemoryDim &dim) { return dim.atom == major; });
  for (MemoryDim &dim : memory) {
    if (dim.atom == minor)
      dim.size = size;
    if (dim.atom && *dim.atom > major)
      --*dim.atom;
    for (Term &term : dim.index.terms)
      if (term.atom > major)
        --term.atom;
  }
}

void contraction::mergeAtoms(Contraction &contraction) {
  SmallVector<SmallVectorImpl<MemoryDim> *> all;
  for (Expression *expression : contraction.expressions())
    for (Leaf &leaf : expression->leaves)
      all.push_back(&leaf.memory);
  for (auto &memory : contraction.outputMemory)
    all.push_back(&memory);

  SmallVector<Atom> &space = contraction.space;
  auto dropUnits = [&](unsigned atom) {
    for (auto *memory : all)
      for (MemoryDim &dim : *memory) {
        llvm::erase_if(dim.index.terms,
                       [&](const Term &term) { return term.atom == atom; });
        for (Term &term : dim.index.terms)
          if (term.atom > atom)
            --term.atom;
        if (dim.atom && *dim.atom > atom)
          --*dim.atom;
      }
    space.erase(space.begin() + atom);
  };
  for (unsigned i = space.size(); i-- > 0;)
    if (space[i].size == 1)
      dropUnits(i);

  for (unsigned i = space.size(); i-- > 1;) {
    unsigned major = i - 1, minor = i;
    if (space[major].role != space[minor].role ||
        !llvm::all_of(all, [&](auto *memory) {
          return sameLoop(*memory, major, minor, space[minor].size);
        }))
      continue;
    int64_t size = space[major].size * space[minor].size;
    for (auto *memory : all)
      merge(*memory, major, minor, size);
    space[minor].size = size;
    space.erase(space.begin() + major);
  }
}

void contraction::completeRoles(Contraction &contraction) {
  for (Role role : {Role::M, Role::N, Role::K}) {
    bool found = llvm::any_of(contraction.atomsOf(role), [&](unsigned atom) {
      return isTileable(contraction, atom);
    });
    if (found)
      continue;
    unsigned atom = contraction.space.size();
    contraction.space.push_back({role, 1});
    MemoryDim dim{1, 0, {0, {{atom, 1}}}, atom};
    for (Expression *expression : contraction.expressions())
      for (Leaf &leaf : expression->leaves)
        if (!leaf.isIota)
          leaf.memory.push_back(dim);
    if (role != Role::K)
      for (auto &memory : contraction.outputMemory)
        memory.push_back(dim);
  }
}

bool contraction::isTileable(const Contraction &contraction, unsigned atom) {
  auto allows = [&](ArrayRef<MemoryDim> memory) {
    return llvm::all_of(memory, [&](const MemoryDim &dim) {
      if (dim.atom)
        return true;
      for (const Term &term : dim.index.terms)
        if (term.atom == atom)
          return contraction.space[atom].role != Role::K &&
                 term.coefficient == 1;
      return true;
    });
  };
  auto allowsLeaves = [&](const Expression &expression) {
    return llvm::all_of(expression.leaves, [&](const Leaf &leaf) {
      return leaf.isIota || allows(leaf.memory);
    });
  };
  return allowsLeaves(contraction.lhs) && allowsLeaves(contraction.rhs) &&
         llvm::all_of(contraction.others, allowsLeaves) &&
         llvm::all_of(contraction.outputs, allowsLeaves) &&
         llvm::all_of(contraction.outputMemory,
                      [&](auto &memory) { return allows(memory); });
}
