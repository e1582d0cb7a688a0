// The part of OpModel that knows windows: dimensions read at
// stride·i + dilation·w + offset.

#include "shoal/Analysis/OpForm.h"

#include <numeric>

using namespace mlir;
using namespace shoal;

bool OpModel::isWindowed(const DimMapping &dim) const {
  return dim.window && !dim.window->isIdentity();
}

bool OpModel::scattersAlong(int64_t f) const {
  if (rule.factors[f].kind != FactorKind::Window || rule.results.empty())
    return false;
  int64_t d = rule.results[0].findDim(f);
  return d >= 0 && rule.results[0].dims[d].window;
}

void OpModel::findGranules() {
  granules.assign(rule.factors.size(), 1);
  for (int64_t t = 0; t < rule.getNumTensors(); ++t)
    for (const DimMapping &dim : rule.getTensor(t).dims) {
      if (!dim.window)
        continue;
      for (int64_t f : dim.factors) {
        int64_t granule = rule.factors[f].kind == FactorKind::Reduction
                              ? tapGranule(*dim.window)
                          : scattersAlong(f) ? dim.window->stride
                                             : windowGranule(*dim.window);
        granules[f] = std::lcm(granules[f], granule);
      }
    }
}

int64_t OpModel::defaultBlock(int64_t f, int64_t parts) const {
  return ceilDiv(ceilDiv(rule.factors[f].size, parts), granules[f]) *
         granules[f];
}

bool OpModel::hasValidWindows(const OpForm &form) const {
  for (size_t f = 0; f < form.factors.size(); ++f)
    if (!form.factors[f].empty() && form.blocks[f] % granules[f] != 0)
      return false;
  for (size_t t = 0; t < numOperands(); ++t)
    for (const DimMapping &dim : rule.operands[t].dims) {
      if (!isWindowed(dim))
        continue;
      // Taps that nobody has must read nothing. A second operand that has
      // them (a kernel) is masked; else the dimension ends where they begin,
      // which it can for a single window only.
      for (int64_t f : dim.factors) {
        if (rule.factors[f].kind != FactorKind::Reduction ||
            form.factors[f].empty())
          continue;
        bool isMasked = false;
        for (size_t o = 0; o < numOperands(); ++o)
          isMasked |= o != t && rule.operands[o].contains(f);
        int64_t parts = partCount(form.factors[f], mesh->atoms());
        if (isMasked || form.blocks[f] * parts == rule.factors[f].size)
          continue;
        for (int64_t other : dim.factors)
          if (other != f && (rule.factors[other].size != 1 ||
                             !form.factors[other].empty()))
            return false;
        if (dim.window->baseDilation != 1)
          return false;
      }
    }
  return true;
}

bool OpModel::sharesWindowsAndTaps(const OpForm &form,
                                   const DimMapping &dim) const {
  int64_t cut = 0;
  for (int64_t f : dim.factors)
    cut += !form.factors[f].empty();
  return isWindowed(dim) && cut > 1;
}

std::optional<WindowStretch> OpModel::stretch(const OpForm &form, size_t t,
                                              int64_t d) const {
  const DimMapping &dim = rule.operands[t].dims[d];
  bool both = sharesWindowsAndTaps(form, dim);
  for (int64_t f : dim.factors) {
    if (form.factors[f].empty() ||
        (both && rule.factors[f].kind == FactorKind::Reduction))
      continue;
    int64_t block = form.blocks[f], size = shapes[t][d];
    if (scattersAlong(f)) {
      const WindowMap &map =
          *rule.results[0].dims[rule.results[0].findDim(f)].window;
      TouchingWindows windows = windowsTouching(map, block);
      WindowStretch stretch;
      if (dim.window) {
        stretch.offset = windows.first * map.stride + map.offset;
        stretch.step = block;
        stretch.width = (windows.count - 1) * map.stride + map.size;
      } else {
        stretch.offset = windows.first;
        stretch.step = block / map.stride;
        stretch.width = windows.count;
        // Windows before the first and behind the last scatter nothing.
        stretch.readsOutside = true;
      }
      return stretch;
    }
    if (!dim.window)
      continue;
    int64_t results = 1;
    for (int64_t other : dim.factors)
      if (rule.factors[other].kind == FactorKind::Window)
        results = rule.factors[other].size;
    if (rule.factors[f].kind == FactorKind::Reduction)
      return stretchOfTaps(*dim.window, size, block, results);
    return stretchOfWindows(*dim.window, size, block, results);
  }
  return std::nullopt;
}

int64_t OpModel::fetchedBytes(const OpForm &form, size_t t) const {
  PlacementState state = placement(form, t);
  SmallVector<int64_t> local(state.blocks.begin(), state.blocks.end());
  int64_t bytes = 0;
  // Dimension after dimension: the later ones send the corners as well.
  for (size_t d = 0; d < local.size(); ++d) {
    std::optional<WindowStretch> part = stretch(form, t, d);
    if (!part || state.dims[d].empty())
      continue;
    int64_t row = elementBytesOf(op->getOperand(t).getType());
    for (size_t e = 0; e < local.size(); ++e)
      if (e != d)
        row *= local[e];
    bytes += windowBytes(shapes[t][d], partCount(state.dims[d], mesh->atoms()),
                         state.blocks[d], part->offset, part->step,
                         part->width, row);
    local[d] = part->width;
  }
  return bytes;
}
