// shoal-lsp-server: MLIR's language server over Shoal's dialects.

#include "shoal/Pipelines/Register.h"
#include "shoal/runtime/CommandLine.h"

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

#include <cstdio>
#include <cstring>

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (!std::strcmp(argv[i], "--version")) {
      std::fputs(shoal::rt::versionText("shoal-lsp-server").c_str(), stdout);
      return 0;
    }
  mlir::DialectRegistry registry;
  shoal::registerAllDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry)) ? 2 : 0;
}
