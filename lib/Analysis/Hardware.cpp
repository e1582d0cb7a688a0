#include "shoal/Analysis/Hardware.h"

#include "mlir/IR/Operation.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

using namespace mlir;

namespace shoal {

static constexpr StringLiteral typeNames[kNumComputeTypes] = {
    "f64", "f32", "tf32", "bf16", "f16", "f8", "i8"};

StringRef stringifyComputeType(ComputeType type) {
  return typeNames[static_cast<unsigned>(type)];
}

double EfficiencyCurve::at(double size) const {
  if (points.empty())
    return 1;
  if (size <= points.front().first)
    return points.front().second;
  for (size_t i = 1; i < points.size(); ++i) {
    auto [x1, y1] = points[i];
    if (size > x1)
      continue;
    auto [x0, y0] = points[i - 1];
    return y0 + (y1 - y0) * std::log(size / x0) / std::log(x1 / x0);
  }
  return points.back().second;
}

double Hardware::kernelSeconds(double flopCount, ComputeType type,
                               double bytes) const {
  double rate = flops[static_cast<unsigned>(type)];
  double arithmetic =
      flopCount > 0 ? flopCount / (rate * productEfficiency.at(flopCount) *
                                   productBytesEfficiency.at(bytes))
                    : 0;
  double memory =
      bytes > 0 ? bytes / (memoryBytesPerSecond * memoryEfficiency.at(bytes))
                : 0;
  return kernelLatency + std::max(arithmetic, memory);
}

//===----------------------------------------------------------------------===//
// Presets
//===----------------------------------------------------------------------===//

/// Rates that are reached, about 75 to 90 % of the data sheets: large products
/// of dense matrices, copies, and NCCL's busbw of large messages.
static ArrayRef<Hardware> presets() {
  auto gpu = [](StringRef name, std::array<double, kNumComputeTypes> tflops,
                double memoryTB, double memoryGB, double hostGB,
                LinkLevel inner, std::optional<LinkLevel> outer) {
    Hardware h;
    h.name = name.str();
    for (unsigned i = 0; i < kNumComputeTypes; ++i)
      h.flops[i] = tflops[i] * 1e12;
    h.memoryBytesPerSecond = memoryTB * 1e12;
    h.memoryBytes = memoryGB * 1e9;
    h.hostBytesPerSecond = hostGB * 1e9;
    h.hostLatency = 1e-5;
    h.kernelLatency = 2e-6;
    h.collectiveLatency = 5e-6;
    h.links.push_back(std::move(inner));
    if (outer)
      h.links.push_back(std::move(*outer));
    return h;
  };
  // To the host, each way (data sheets: PCIe 5.0 x16 63 GB/s, 4.0 x16 31.5;
  // GB200 NVLink-C2C 450 GB/s for a Grace CPU and its two GPUs, so half of it
  // each; copies reach about 87 %): H100, H200 55; A100, L40S 27; GB200 195.
  // One 400 Gb/s adapter a GPU (200 Gb/s for A100).
  LinkLevel ndr{"infiniband", 0, 45e9, 4e-6, false};
  LinkLevel hdr{"infiniband", 0, 22e9, 4e-6, false};
  static const std::vector<Hardware> known = [&] {
    std::vector<Hardware> list;
    // f64, f32, tf32, bf16, f16, f8, i8
    list.push_back(gpu("dgx-h100", {55, 50, 380, 700, 700, 1350, 1350}, 3.0, 80,
                       55, {"nvlink", 8, 400e9, 1e-6, true}, ndr));
    list.push_back(gpu("dgx-h200", {55, 50, 400, 750, 750, 1400, 1400}, 4.3,
                       141, 55, {"nvlink", 8, 400e9, 1e-6, true}, ndr));
    list.push_back(gpu("dgx-a100", {17, 17, 130, 270, 270, 270, 530}, 1.75, 80,
                       27, {"nvlink", 8, 250e9, 1e-6, false}, hdr));
    list.push_back(gpu("gb200-nvl72", {35, 70, 1000, 2000, 2000, 4000, 4000},
                       7.0, 186, 195, {"nvlink", 72, 800e9, 1e-6, true}, ndr));
    list.push_back(gpu("pcie-l40s", {1.3, 75, 160, 320, 320, 600, 600}, 0.75,
                       48, 27, {"pcie", 8, 22e9, 5e-6, false}, hdr));
    Hardware cpu;
    cpu.name = "cpu";
    double gflops[] = {50, 100, 100, 150, 100, 100, 300};
    for (unsigned i = 0; i < kNumComputeTypes; ++i)
      cpu.flops[i] = gflops[i] * 1e9;
    cpu.memoryBytesPerSecond = 2e10;
    cpu.kernelLatency = 1e-6;
    cpu.collectiveLatency = 1e-6;
    cpu.hostBytesPerSecond = 5e9;
    cpu.hostLatency = 1e-6;
    cpu.links.push_back({"memory", 0, 1e10, 1e-6, false});
    list.push_back(cpu);
    return list;
  }();
  return known;
}

ArrayRef<StringRef> hardwarePresets() {
  static const SmallVector<StringRef> names = [] {
    SmallVector<StringRef> list;
    for (const Hardware &h : presets())
      list.push_back(h.name);
    return list;
  }();
  return names;
}

static const Hardware *findPreset(StringRef name) {
  // The device's own name stands for the usual box of it.
  for (const Hardware &h : presets())
    if (h.name == name || StringRef(h.name).split('-').second == name)
      return &h;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

namespace {

/// Reads one description; the first thing that is wrong stays in `error`.
struct Reader {
  Hardware h;
  std::string error;

  bool fail(const Twine &message) {
    if (error.empty())
      error = message.str();
    return false;
  }

  bool number(StringRef key, const llvm::json::Value &value, double &out,
              bool zeroIsFine = false) {
    std::optional<double> n = value.getAsNumber();
    if (!n || !std::isfinite(*n) || *n < 0 || (*n == 0 && !zeroIsFine))
      return fail("'" + key + "' must be a number " +
                  (zeroIsFine ? "of at least 0" : "above 0"));
    out = *n;
    return true;
  }

  bool rates(const llvm::json::Value &value) {
    double all;
    if (value.getAsNumber()) {
      if (!number("flops_per_second", value, all))
        return false;
      std::fill(std::begin(h.flops), std::end(h.flops), all);
      return true;
    }
    const llvm::json::Object *object = value.getAsObject();
    if (!object)
      return fail("'flops_per_second' must be a number, or an object of rates "
                  "by type");
    std::fill(std::begin(h.flops), std::end(h.flops), 0.0);
    for (auto &[key, rate] : *object) {
      auto *name = llvm::find(typeNames, StringRef(key));
      if (name == std::end(typeNames))
        return fail("'flops_per_second' has no type '" + StringRef(key) +
                    "'; f64, f32, tf32, bf16, f16, f8, i8 are");
      if (!number(key, rate, h.flops[name - std::begin(typeNames)]))
        return false;
    }
    // A type without a rate runs at that of the next wider one, the widest at
    // that of the next narrower one.
    for (unsigned i = 1; i < kNumComputeTypes; ++i)
      if (h.flops[i] == 0)
        h.flops[i] = h.flops[i - 1];
    for (unsigned i = kNumComputeTypes - 1; i-- > 0;)
      if (h.flops[i] == 0)
        h.flops[i] = h.flops[i + 1];
    return h.flops[0] > 0 || fail("'flops_per_second' states no rate");
  }

  bool links(const llvm::json::Value &value) {
    const llvm::json::Array *array = value.getAsArray();
    if (!array || array->empty())
      return fail("'links' must be a list of levels, the innermost first");
    h.links.clear();
    for (const llvm::json::Value &entry : *array) {
      const llvm::json::Object *object = entry.getAsObject();
      if (!object)
        return fail("'links' must be a list of objects");
      LinkLevel level;
      double sharers = 1;
      for (auto &[keyName, v] : *object) {
        StringRef key = keyName;
        double devices = 0;
        if (key == "name") {
          level.name = v.getAsString().value_or("").str();
        } else if (key == "devices") {
          if (!number(key, v, devices))
            return false;
          if (devices != std::floor(devices) || devices > 1e9)
            return fail("'devices' must be a whole number");
          level.devices = static_cast<int64_t>(devices);
        } else if (key == "bytes_per_second") {
          if (!number(key, v, level.bytesPerSecond))
            return false;
        } else if (key == "shared_by") {
          if (!number(key, v, sharers))
            return false;
          if (sharers < 1 || sharers != std::floor(sharers))
            return fail("'shared_by' must be a whole number of at least 1");
        } else if (key == "latency") {
          if (!number(key, v, level.latency, /*zeroIsFine=*/true))
            return false;
        } else if (key == "multicast") {
          if (!v.getAsBoolean())
            return fail("'multicast' must be true or false");
          level.multicast = *v.getAsBoolean();
        } else {
          return fail("unknown key '" + key + "' in 'links'");
        }
      }
      level.bytesPerSecond /= sharers;
      if (level.bytesPerSecond == 0)
        return fail("a level of 'links' without 'bytes_per_second'");
      if (!h.links.empty() &&
          (h.links.back().devices == 0 ||
           (level.devices != 0 && level.devices % h.links.back().devices != 0)))
        return fail("each level of 'links' must join a multiple of the "
                    "'devices' of the level before");
      h.links.push_back(std::move(level));
    }
    return true;
  }

  bool curve(StringRef key, const llvm::json::Value &value,
             EfficiencyCurve &out) {
    const llvm::json::Array *array = value.getAsArray();
    out.points.clear();
    if (!array)
      return fail("'" + key + "' must be a list of [size, share]");
    for (const llvm::json::Value &entry : *array) {
      const llvm::json::Array *pair = entry.getAsArray();
      double size, share;
      if (!pair || pair->size() != 2)
        return fail("'" + key + "' must be a list of [size, share]");
      if (!number(key, (*pair)[0], size) || !number(key, (*pair)[1], share))
        return false;
      if (!out.points.empty() && size <= out.points.back().first)
        return fail("sizes in '" + key + "' must increase");
      out.points.push_back({size, share});
    }
    return true;
  }

  /// An object of numbers, each of at least 0.
  bool numbers(StringRef key, const llvm::json::Value &value,
               ArrayRef<std::pair<StringRef, double *>> known) {
    const llvm::json::Object *object = value.getAsObject();
    if (!object)
      return fail("'" + key + "' must be an object");
    for (auto &[name, v] : *object) {
      auto *found = llvm::find_if(known, [&](const auto &entry) {
        return entry.first == StringRef(name);
      });
      if (found == known.end())
        return fail("unknown key '" + StringRef(name) + "' in '" + key + "'");
      if (!number(name, v, *found->second, /*zeroIsFine=*/true))
        return false;
    }
    return true;
  }

  bool read(const llvm::json::Object &object) {
    StringRef base = object.getString("base").value_or("dgx-h100");
    const Hardware *preset = findPreset(base);
    if (!preset)
      return fail("'base' names no preset; " +
                  llvm::join(hardwarePresets(), ", ") + " are");
    h = *preset;
    for (auto &[keyName, value] : object) {
      StringRef key = keyName;
      bool ok = true;
      if (key == "name") {
        h.name = value.getAsString().value_or(h.name).str();
      } else if (key == "base") {
      } else if (key == "flops_per_second") {
        ok = rates(value);
      } else if (key == "memory_bytes_per_second") {
        ok = number(key, value, h.memoryBytesPerSecond);
      } else if (key == "memory_bytes") {
        ok = number(key, value, h.memoryBytes, true);
      } else if (key == "kernel_latency") {
        ok = number(key, value, h.kernelLatency, true);
      } else if (key == "collective_latency") {
        ok = number(key, value, h.collectiveLatency, true);
      } else if (key == "collective_work") {
        ok = numbers(key, value,
                     {{"latency", &h.collectiveWorkLatency},
                      {"moved_bytes_per_second", &h.movedBytesPerSecond},
                      {"reduced_bytes_per_second", &h.reducedBytesPerSecond}});
      } else if (key == "links") {
        ok = links(value);
      } else if (key == "host_link") {
        ok = numbers(key, value,
                     {{"latency", &h.hostLatency},
                      {"bytes_per_second", &h.hostBytesPerSecond}});
      } else if (key == "efficiency") {
        const llvm::json::Object *curves = value.getAsObject();
        if (!curves)
          return fail("'efficiency' must be an object");
        for (auto &[name, points] : *curves) {
          if (StringRef(name) == "product")
            ok = ok && curve("product", points, h.productEfficiency);
          else if (StringRef(name) == "product_bytes")
            ok = ok && curve("product_bytes", points, h.productBytesEfficiency);
          else if (StringRef(name) == "memory")
            ok = ok && curve("memory", points, h.memoryEfficiency);
          else
            ok = fail("unknown key '" + StringRef(name) + "' in 'efficiency'");
        }
      } else {
        ok = fail("unknown key '" + key + "'");
      }
      if (!ok)
        return false;
    }
    return true;
  }
};

} // namespace

FailureOr<Hardware> getHardware(StringRef name, std::string &error) {
  if (const Hardware *preset = findPreset(name.empty() ? "dgx-h100" : name))
    return *preset;
  if (!name.ends_with(".json")) {
    error = "'" + name.str() + "' is unknown; " +
            llvm::join(hardwarePresets(), ", ") + " are, or a .json file";
    return failure();
  }
  auto file = llvm::MemoryBuffer::getFile(name);
  if (!file) {
    error = "cannot read '" + name.str() + "': " + file.getError().message();
    return failure();
  }
  llvm::Expected<llvm::json::Value> value =
      llvm::json::parse((*file)->getBuffer());
  if (!value) {
    error = "'" + name.str() + "': " + llvm::toString(value.takeError());
    return failure();
  }
  const llvm::json::Object *object = value->getAsObject();
  Reader reader;
  if (!object || !reader.read(*object)) {
    error = "'" + name.str() +
            "': " + (object ? reader.error : std::string("not a JSON object"));
    return failure();
  }
  return reader.h;
}

FailureOr<Hardware> getHardware(StringRef name, Operation *at) {
  std::string error;
  FailureOr<Hardware> hardware = getHardware(name, error);
  if (failed(hardware))
    at->emitError() << "--hardware: " << error;
  return hardware;
}

} // namespace shoal
