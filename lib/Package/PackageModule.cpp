// packageModule: see Package.h.
#include "shoal/Package/Package.h"

#include "Link.h"

#include "shoal/runtime/Program.h"

#include <cstring>

using namespace mlir;
using namespace shoal;

FailureOr<std::vector<char>>
shoal::packageModule(ModuleOp module,
                     llvm::ArrayRef<llvm::SmallVector<char, 0>> objects,
                     const PackageOptions &options) {
  FailureOr<ProgramTable> table = buildProgramTable(module, options);
  if (failed(table))
    return failure();
  std::vector<char> data =
      makeDataObject(table->table, table->constants, table->images);
  std::vector<llvm::ArrayRef<char>> all{data};
  for (const auto &object : objects)
    all.push_back({object.data(), object.size()});
  std::string error;
  std::vector<char> image = linkShared(all, error);
  if (image.empty()) {
    module.emitError("cannot link the model: ") << error;
    return failure();
  }
  program::Footer footer = {};
  std::memcpy(footer.magic, program::kFooterMagic, sizeof(footer.magic));
  footer.fileSize = image.size() + sizeof(footer);
  footer.checksum = program::checksum(image.data(), image.size());
  const char *bytes = reinterpret_cast<const char *>(&footer);
  image.insert(image.end(), bytes, bytes + sizeof(footer));
  return image;
}
