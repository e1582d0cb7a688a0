#include "shoal/Report/Report.h"

#include "llvm/Support/JSON.h"

using namespace mlir;

namespace shoal {

static void writeValues(llvm::json::OStream &j, StringRef key,
                        ArrayRef<ValueReport> values) {
  j.attributeArray(key, [&] {
    for (const ValueReport &v : values)
      j.object([&] {
        j.attribute("name", v.name);
        j.attribute("type", v.type);
        j.attribute("shape", llvm::json::Array(v.shape));
        j.attribute("sharding", v.sharding);
        if (!v.role.empty())
          j.attribute("role", v.role);
        j.attribute("local_shape", llvm::json::Array(v.localShape));
        j.attribute("bytes_per_device", v.bytesPerDevice);
      });
  });
}

std::string
Report::json(ArrayRef<std::pair<std::string, double>> compileSeconds) const {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::json::OStream j(os, /*IndentSize=*/2);
  j.object([&] {
    j.attributeObject("mesh", [&] {
      j.attributeArray("axes", [&] {
        for (auto &[name, size] : meshAxes)
          j.value(llvm::json::Array{name, size});
      });
      j.attribute("devices", devices);
    });
    writeValues(j, "arguments", arguments);
    writeValues(j, "results", results);
    j.attributeArray("collectives", [&] {
      for (const CollectiveReport &c : collectives)
        j.object([&] {
          j.attribute("kind", c.kind);
          j.attribute("axes", llvm::json::Array(c.axes));
          j.attribute("group_size", c.groupSize);
          j.attribute("bytes_sent_per_device", c.bytesSentPerDevice);
          j.attribute("count", c.count);
          j.attribute("dynamic", c.dynamic);
          j.attribute("reason", c.reason);
          j.attribute("loc", c.loc);
        });
    });
    j.attributeObject("totals", [&] {
      j.attribute("bytes_sent_per_device", bytesSentPerDevice);
      j.attribute("collective_count", collectiveCount);
    });
    j.attribute("flops_per_device", flopsPerDevice);
    j.attribute("peak_bytes_per_device", peakBytesPerDevice);
    j.attribute("peak_host_bytes_per_device", peakHostBytesPerDevice);
    j.attribute("temporary_bytes_per_device", temporaryBytesPerDevice);
    j.attributeArray("live_at_peak", [&] {
      for (const Temporary &t : liveAtPeak)
        j.object([&] {
          j.attribute("bytes", t.bytes);
          j.attribute("type", t.type);
          j.attribute("loc", t.loc);
        });
    });
    j.attributeObject("modelled", [&] {
      j.attribute("hardware", hardware);
      j.attribute("step_s", modelledStep);
      j.attribute("exposed_communication_s", modelledExposed);
      j.attribute("compute_s", modelledCompute);
      j.attribute("communication_s", modelledCommunication);
      j.attribute("critical_path_s", modelledPath);
      if (modelledLinks.empty())
        return;
      j.attributeArray("links", [&] {
        for (auto &[name, seconds] : modelledLinks)
          j.object([&] {
            j.attribute("name", name);
            j.attribute("busy_s", seconds);
            j.attribute("busy_fraction",
                        modelledStep > 0 ? seconds / modelledStep : 0);
          });
      });
      j.attribute("peak_bytes", modelledPeakBytes);
      j.attribute("ranks_simulated", ranksSimulated);
    });
    j.attributeObject("compile_s", [&] {
      for (auto &[phase, seconds] : compileSeconds)
        j.attribute(phase, seconds);
    });
  });
  text += "\n";
  return text;
}

} // namespace shoal
