// --calibrate: a profile as a hardware description.
#include "Options.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

using nlohmann::ordered_json;

namespace shoal::rt {
namespace {

/// Work of about one size (a factor of four), and how long it took.
struct Bucket {
  double work = 0, calls = 0, seconds = 0;
  double size() const { return work / calls; }
  double rate() const { return work / seconds; }
};
using Buckets = std::map<int, Bucket>;

int bucketOf(double size) {
  return static_cast<int>(std::floor(std::log2(size) / 2));
}

double peakOf(const Buckets &buckets) {
  double peak = 0;
  for (auto &[key, bucket] : buckets)
    peak = std::max(peak, bucket.rate());
  return peak;
}

/// [size, share of the peak] by size.
ordered_json curveOf(const Buckets &buckets, double peak) {
  ordered_json curve = ordered_json::array();
  for (auto &[key, bucket] : buckets)
    curve.push_back({bucket.size(), std::min(1.0, bucket.rate() / peak)});
  return curve;
}

/// The name that hardware descriptions have for a type's rate, or null.
const char *rateName(const std::string &type) {
  for (const char *name : {"f64", "f32", "bf16", "f16", "i8"})
    if (type == name)
      return name;
  return type.rfind("f8", 0) == 0 ? "f8" : nullptr;
}

} // namespace

std::string makeHardware(const std::vector<ProfileRow> &profile,
                         const std::vector<EmulatedLink> &links, bool onGpu) {
  auto isKernel = [](const ProfileRow &row) {
    // Kernels with products in them do more than move bytes.
    return row.bytes > 0 && row.flops == 0 && row.calls > 0 &&
           row.what.find("dot") == std::string::npos &&
           row.what.find("convolution") == std::string::npos &&
           row.what.find("attention") == std::string::npos;
  };
  // A kernel's start shows in those that move next to nothing.
  constexpr double kSmall = 4096;
  double latency = 0;
  for (const ProfileRow &row : profile)
    if (isKernel(row) && row.seconds > 0 && row.bytes / row.calls <= kSmall) {
      double each = row.seconds / row.calls;
      latency = latency == 0 ? each : std::min(latency, each);
    }
  // What is not the start of a kernel is its work.
  auto beyond = [&](const ProfileRow &row) {
    return std::max(row.seconds - row.calls * latency, row.seconds * 0.1);
  };
  Buckets memory;
  std::map<std::string, Buckets> products;
  auto note = [](Buckets &buckets, double work, double calls, double seconds) {
    Bucket &bucket = buckets[bucketOf(work / calls)];
    bucket.work += work;
    bucket.calls += calls;
    bucket.seconds += seconds;
  };
  for (const ProfileRow &row : profile) {
    if (row.seconds <= 0)
      continue;
    if (isKernel(row))
      note(memory, row.bytes, row.calls, beyond(row));
    else if (const char *type = rateName(row.type); type && row.flops > 0)
      note(products[type], row.flops, row.calls, beyond(row));
  }
  if (memory.empty() && products.empty())
    return "";

  ordered_json hardware, efficiency;
  hardware["name"] = "measured";
  hardware["base"] = onGpu ? "dgx-h100" : "cpu";
  if (!products.empty()) {
    // One curve for all types: ideal time, at the type's best rate, to that
    // taken.
    ordered_json rates;
    Buckets ideal;
    std::map<int, double> flops;
    for (auto &[type, buckets] : products) {
      double peak = peakOf(buckets);
      rates[type] = peak;
      for (auto &[key, bucket] : buckets) {
        ideal[key].work += bucket.work / peak;
        ideal[key].calls += bucket.calls;
        ideal[key].seconds += bucket.seconds;
        flops[key] += bucket.work;
      }
    }
    hardware["flops_per_second"] = rates;
    for (auto &[key, bucket] : ideal)
      efficiency["product"].push_back(
          {flops[key] / bucket.calls, std::min(1.0, bucket.rate())});
  }
  if (!memory.empty()) {
    double peak = peakOf(memory);
    hardware["memory_bytes_per_second"] = peak;
    if (latency > 0)
      hardware["kernel_latency"] = latency;
    efficiency["memory"] = curveOf(memory, peak);
  }
  // What ranks do for collectives themselves; their wait for others is not in
  // the profile.
  Bucket collectives;
  double least = 0;
  for (const ProfileRow &row : profile)
    if (row.bytesSent > 0 && row.seconds > 0) {
      collectives.work += row.bytesSent;
      collectives.calls += row.calls;
      collectives.seconds += row.seconds;
      double each = row.seconds / row.calls;
      least = least == 0 ? each : std::min(least, each);
    }
  if (collectives.calls > 0) {
    collectives.seconds =
        std::max(collectives.seconds - collectives.calls * least,
                 collectives.seconds * 0.1);
    hardware["collective_work"] = {{"latency", least},
                                   {"bytes_per_second", collectives.rate()}};
  }
  for (const EmulatedLink &link : links)
    if (link.axis == "*")
      hardware["links"] = {{{"name", "emulated"},
                            {"bytes_per_second", link.bytesPerSecond},
                            {"latency", link.latency}}};
  hardware["efficiency"] = efficiency;
  return hardware.dump(2) + "\n";
}

} // namespace shoal::rt
