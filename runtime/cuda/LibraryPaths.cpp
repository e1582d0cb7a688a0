#include "cuda/LibraryPaths.h"

#include <cstdlib>
#include <glob.h>
#include <unistd.h>

std::vector<std::string> shoal::cuda::packagedLibraries(
    std::initializer_list<const char *> patterns) {
  std::vector<std::string> roots;
  if (const char *active = std::getenv("VIRTUAL_ENV"))
    roots.push_back(active);
  char exe[4096];
  ssize_t length = ::readlink("/proc/self/exe", exe, sizeof(exe) - 1);
  if (length > 0) {
    std::string at(exe, static_cast<size_t>(length));
    for (int up = 0; up < 3; ++up) { // …/build/bin/shoal-run
      at = at.substr(0, at.rfind('/'));
      roots.push_back(at + "/.venv");
    }
  }
  std::vector<std::string> found;
  for (const std::string &root : roots)
    for (const char *pattern : patterns) {
      std::string full =
          root + "/lib/python3*/site-packages/nvidia/" + pattern;
      glob_t matches = {};
      if (::glob(full.c_str(), 0, nullptr, &matches) == 0)
        for (size_t i = 0; i < matches.gl_pathc; ++i)
          found.push_back(matches.gl_pathv[i]);
      ::globfree(&matches);
    }
  return found;
}
