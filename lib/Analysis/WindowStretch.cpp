#include "shoal/Analysis/WindowStretch.h"

#include "llvm/Support/MathExtras.h"

#include <cstdlib>
#include <numeric>

using namespace shoal;

static int64_t floorDiv(int64_t a, int64_t b) {
  return llvm::divideFloorSigned(a, b);
}
static int64_t ceilDivSigned(int64_t a, int64_t b) {
  return llvm::divideCeilSigned(a, b);
}

/// Positions between the first and the last of `count` that lie `step` apart.
static int64_t reach(int64_t step, int64_t count) { return step * (count - 1); }

static bool readsOutside(const WindowMap &map, int64_t size, int64_t results) {
  int64_t windows = reach(map.stride, results);
  int64_t taps = reach(map.dilation, map.size);
  int64_t first = map.offset + std::min<int64_t>(0, windows) +
                  std::min<int64_t>(0, taps);
  int64_t last = map.offset + std::max<int64_t>(0, windows) +
                 std::max<int64_t>(0, taps);
  // Between elements there is padding as well, but the op itself sees to it.
  return first < 0 || last > reach(map.baseDilation, size);
}

/// Positions [lo + i*step, + width) in elements, which lie `spread` apart.
static WindowStretch toElements(int64_t lo, int64_t step, int64_t width,
                                int64_t spread) {
  WindowStretch stretch;
  int64_t first = ceilDivSigned(lo, spread);
  int64_t last = floorDiv(lo + width - 1, spread);
  // A stretch between two elements: one is fetched and cropped away.
  if (last < first)
    first = last;
  stretch.offset = first;
  stretch.step = step / spread;
  stretch.width = last - first + 1;
  stretch.low = first * spread - lo;
  stretch.high = lo + width - 1 - last * spread;
  return stretch;
}

WindowStretch shoal::stretchOfWindows(const WindowMap &map, int64_t size,
                                      int64_t block, int64_t results) {
  int64_t windows = reach(map.stride, block);
  int64_t taps = reach(map.dilation, map.size);
  WindowStretch stretch = toElements(
      map.offset + std::min<int64_t>(0, windows) + std::min<int64_t>(0, taps),
      map.stride * block, std::abs(windows) + std::abs(taps) + 1,
      map.baseDilation);
  stretch.readsOutside = readsOutside(map, size, results);
  return stretch;
}

WindowStretch shoal::stretchOfTaps(const WindowMap &map, int64_t size,
                                   int64_t block, int64_t results) {
  int64_t windows = reach(map.stride, results);
  int64_t taps = reach(map.dilation, block);
  WindowStretch stretch = toElements(
      map.offset + std::min<int64_t>(0, windows) + std::min<int64_t>(0, taps),
      map.dilation * block, std::abs(windows) + std::abs(taps) + 1,
      map.baseDilation);
  stretch.readsOutside = readsOutside(map, size, results);
  return stretch;
}

TouchingWindows shoal::windowsTouching(const WindowMap &map, int64_t block) {
  int64_t first = ceilDivSigned(1 - map.offset - map.size, map.stride);
  int64_t last = floorDiv(block - 1 - map.offset, map.stride);
  return {first, last - first + 1};
}

int64_t shoal::windowGranule(const WindowMap &map) {
  return map.baseDilation / std::gcd(map.baseDilation, std::abs(map.stride));
}
int64_t shoal::tapGranule(const WindowMap &map) {
  return map.baseDilation / std::gcd(map.baseDilation, std::abs(map.dilation));
}
