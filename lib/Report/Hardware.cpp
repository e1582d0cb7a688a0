#include "shoal/Report/Report.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

namespace shoal {

FailureOr<Hardware> getHardware(StringRef name, std::string &error) {
  // Achievable, not peak: about 90 % of the data sheets, bf16.
  static const Hardware known[] = {
      {"h100", 7.0e14, 3.0e12, 4.0e11, 5e-6, 8.0e10},
      {"h200", 7.5e14, 4.3e12, 4.0e11, 5e-6, 1.41e11},
      {"a100", 2.8e14, 1.8e12, 2.6e11, 6e-6, 8.0e10},
      {"cpu", 1.0e11, 2.0e10, 1.0e10, 2e-6, 0},
  };
  if (name.empty())
    return known[0];
  for (const Hardware &h : known)
    if (h.name == name)
      return h;
  if (!name.ends_with(".json")) {
    error = "'" + name.str() +
            "' is unknown; 'h100', 'h200', 'a100', 'cpu' are, or a .json file";
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
  llvm::json::Object *object = value->getAsObject();
  if (!object) {
    error = "'" + name.str() + "': not a JSON object";
    return failure();
  }
  Hardware h;
  h.name = name.str();
  std::pair<StringRef, double *> fields[] = {
      {"flops_per_second", &h.flopsPerSecond},
      {"memory_bytes_per_second", &h.memoryBytesPerSecond},
      {"link_bytes_per_second", &h.linkBytesPerSecond},
      {"link_latency", &h.linkLatency},
      {"memory_bytes", &h.memoryBytes}};
  for (auto &[objectKey, member] : *object) {
    StringRef key = objectKey;
    auto *field =
        llvm::find_if(fields, [&](auto &f) { return f.first == key; });
    if (field == std::end(fields)) {
      if (key == "name")
        continue;
      error = "'" + name.str() + "': unknown key '" + key.str() + "'";
      return failure();
    }
    std::optional<double> number = member.getAsNumber();
    if (!number || !(*number > 0)) {
      error =
          "'" + name.str() + "': '" + key.str() + "' must be a number above 0";
      return failure();
    }
    *field->second = *number;
  }
  return h;
}

} // namespace shoal
