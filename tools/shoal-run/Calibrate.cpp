// --calibrate: a profile as a hardware description.
#include "Options.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

using nlohmann::ordered_json;

namespace shoal::rt {
namespace {

/// Work of about one size (a factor of two), and how long it took.
struct Bucket {
  double work = 0, calls = 0, seconds = 0;
  double size() const { return work / calls; }
  double rate() const { return work / seconds; }
};
using Buckets = std::map<int, Bucket>;

int bucketOf(double size) {
  return static_cast<int>(std::floor(std::log2(size)));
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

/// Products of all types, each with the seconds that it would take at its
/// type's best rate.
struct Product {
  double flops, bytes, calls, ideal, seconds;
};

/// Two curves whose product is the share of the best rate. By flops it only
/// grows: where larger products are slower, it is because caches do not hold
/// them, which is by bytes.
void addProductCurves(const std::vector<Product> &products,
                      ordered_json &efficiency) {
  struct Sum {
    double size = 0, calls = 0, ideal = 0, seconds = 0;
  };
  auto sums = [&](auto sizeOf, auto idealOf) {
    std::map<int, Sum> result;
    for (const Product &p : products) {
      Sum &sum = result[bucketOf(sizeOf(p) / p.calls)];
      sum.size += sizeOf(p);
      sum.calls += p.calls;
      sum.ideal += idealOf(p);
      sum.seconds += p.seconds;
    }
    return result;
  };
  auto flops = [](const Product &p) { return p.flops; };
  auto bytes = [](const Product &p) { return p.bytes; };
  std::map<int, double> shares;
  double share = 0;
  for (auto &[key, sum] :
       sums(flops, [](const Product &p) { return p.ideal; })) {
    share = std::max(share, std::min(1.0, sum.ideal / sum.seconds));
    shares[key] = share;
    efficiency["product"].push_back({sum.size / sum.calls, share});
  }
  for (auto &[key, sum] : sums(bytes, [&](const Product &p) {
         return p.ideal / shares[bucketOf(p.flops / p.calls)];
       }))
    efficiency["product_bytes"].push_back(
        {sum.size / sum.calls, std::min(1.0, sum.ideal / sum.seconds)});
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
    ordered_json rates;
    std::vector<Product> all;
    for (auto &[type, buckets] : products)
      rates[type] = peakOf(buckets);
    for (const ProfileRow &row : profile)
      if (const char *type = rateName(row.type);
          type && row.flops > 0 && row.seconds > 0)
        all.push_back({row.flops, row.bytes, row.calls,
                       row.flops / rates[type].get<double>(), beyond(row)});
    hardware["flops_per_second"] = rates;
    addProductCurves(all, efficiency);
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
  auto isCollective = [](const ProfileRow &row) {
    return row.bytesSent > 0 && row.seconds > 0;
  };
  double least = 0;
  for (const ProfileRow &row : profile)
    if (double each = row.seconds / row.calls;
        isCollective(row) && (least == 0 || each < least))
      least = each;
  Bucket moved, reduced;
  for (const ProfileRow &row : profile)
    if (isCollective(row)) {
      Bucket &bucket = row.reduces ? reduced : moved;
      bucket.work += row.bytesSent;
      bucket.seconds +=
          std::max(row.seconds - row.calls * least, row.seconds * 0.1);
    }
  if (least > 0) {
    ordered_json &work = hardware["collective_work"];
    work["latency"] = least;
    // Of a kind that does not occur nothing is known; they are much alike.
    work["moved_bytes_per_second"] = (moved.work > 0 ? moved : reduced).rate();
    work["reduced_bytes_per_second"] =
        (reduced.work > 0 ? reduced : moved).rate();
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
