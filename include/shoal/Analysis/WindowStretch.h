// What one device's part of a windowed op reads of an operand's dimension.
#ifndef SHOAL_ANALYSIS_WINDOWSTRETCH_H
#define SHOAL_ANALYSIS_WINDOWSTRETCH_H

#include "dialects/Shoal/ShardingRule.h"

namespace shoal {

/// Part i reads the elements [offset + i*step, + width) of a dimension. Seen
/// from the windows these elements lie base-dilated, and the windows of the
/// part begin `low` positions before the first of them and end `high` behind
/// the last (negative: inside).
struct WindowStretch {
  int64_t offset = 0;
  int64_t step = 0;
  int64_t width = 1;
  int64_t low = 0;
  int64_t high = 0;
  /// Some result reads where the dimension has no element (edge padding), so
  /// what lies there has to have the padding's value.
  bool readsOutside = false;
};

/// The part computes `block` of the `results` windows over a dimension of
/// `size` elements. `block` is a multiple of windowGranule.
WindowStretch stretchOfWindows(const WindowMap &map, int64_t size,
                               int64_t block, int64_t results);
/// The part computes all `results` windows, but only `block` taps of each.
/// `block` is a multiple of tapGranule.
WindowStretch stretchOfTaps(const WindowMap &map, int64_t size, int64_t block,
                            int64_t results);

/// Windows scatter into the dimension (select_and_scatter): the part makes
/// `block` elements of it, a multiple of the stride, out of all windows that
/// touch them. First of these windows for part 0, and how many there are; the
/// next part's begin block / stride later.
struct TouchingWindows {
  int64_t first = 0;
  int64_t count = 0;
};
TouchingWindows windowsTouching(const WindowMap &map, int64_t block);

/// Blocks of windows (of taps) that start on an element for every part: base
/// dilation leaves gaps between elements.
int64_t windowGranule(const WindowMap &map);
int64_t tapGranule(const WindowMap &map);

} // namespace shoal

#endif // SHOAL_ANALYSIS_WINDOWSTRETCH_H
