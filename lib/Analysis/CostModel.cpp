#include "shoal/Analysis/CostModel.h"

#include <algorithm>

using namespace shoal;

MeshCosts MeshCosts::bytesOnly(size_t axisCount) {
  MeshCosts costs;
  costs.axes.assign(axisCount, AxisCost{1.0, 16.0});
  return costs;
}

double MeshCosts::fastestSecondsPerByte() const {
  double least = 0;
  for (const AxisCost &axis : axes)
    least = least == 0 ? axis.secondsPerByte
                       : std::min(least, axis.secondsPerByte);
  return least == 0 ? 1.0 : least;
}

double shoal::collectiveTime(AtomSet used, int64_t bytes,
                             llvm::ArrayRef<MeshAtom> atoms,
                             const MeshCosts &costs) {
  double perByte = 0.0, latency = 0.0;
  for (size_t i = 0; i < atoms.size(); ++i) {
    if (!(used & atomBit(i)))
      continue;
    const AxisCost &axis = costs.axes[atoms[i].axis];
    perByte = std::max(perByte, axis.secondsPerByte);
    latency = std::max(latency, axis.latency);
  }
  return latency + perByte * static_cast<double>(bytes);
}

int64_t shoal::windowBytes(int64_t size, int64_t parts, int64_t block,
                           int64_t offset, int64_t step, int64_t width,
                           int64_t rowBytes) {
  // Beyond some thousand parts the average no longer changes, and compile
  // time must not follow the number of devices.
  int64_t sampled = std::min<int64_t>(parts, 4096);
  auto clip = [&](int64_t at) {
    return std::max<int64_t>(0, std::min(size, at));
  };
  int64_t moved = 0;
  for (int64_t i = 0; i < sampled; ++i) {
    int64_t newLo = clip(offset + i * step);
    int64_t newHi = clip(offset + i * step + width);
    int64_t oldLo = clip(i * block), oldHi = clip((i + 1) * block);
    int64_t overlap =
        std::max<int64_t>(0, std::min(newHi, oldHi) - std::max(newLo, oldLo));
    moved += (newHi - newLo) - overlap;
  }
  return moved * rowBytes / std::max<int64_t>(1, sampled);
}

int64_t shoal::reblockBytes(int64_t size, int64_t parts, int64_t oldBlock,
                            int64_t newBlock, int64_t rowBytes) {
  return windowBytes(size, parts, oldBlock, 0, newBlock, newBlock, rowBytes);
}
