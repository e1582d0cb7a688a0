// Which family an instruction belongs to.
#include "Registry.h"

#include <algorithm>

using namespace shoal::emu;

std::vector<std::string_view> shoal::emu::words(std::string_view name) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t end = name.find_first_of("._");
    parts.push_back(name.substr(0, end));
    if (end == name.npos)
      return parts;
    name.remove_prefix(end + 1);
  }
}

bool shoal::emu::has(const std::vector<std::string_view> &parts,
                     std::string_view word) {
  return std::find(parts.begin(), parts.end(), word) != parts.end();
}

Handler shoal::emu::findInstruction(std::string_view name, Site &site) {
  for (std::string_view prefix : {"llvm.nvvm.", "shoal_ptx_"})
    if (name.substr(0, prefix.size()) == prefix)
      name.remove_prefix(prefix.size());
  using Find = Handler (*)(std::string_view, Site &);
  for (Find find :
       {findRegister, findWarp, findBarrier, findTransactionBarrier,
        findAsyncCopy, findMatrixMove, findMma, findMath, findConvert,
        findInteger, findMemory, findMultimem, findAtomic})
    if (Handler handler = find(name, site))
      return handler;
  return nullptr;
}
