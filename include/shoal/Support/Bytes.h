// Amounts of memory as people read them, in messages of compiler and runtime.
#ifndef SHOAL_SUPPORT_BYTES_H
#define SHOAL_SUPPORT_BYTES_H

#include <cmath>
#include <cstdio>
#include <string>

namespace shoal {

/// "64 B", "1.54 KB", "23.0 GB": three digits, units of 1000.
inline std::string bytesText(double bytes) {
  const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
  int unit = 0;
  while (std::abs(bytes) >= 1000 && unit < 5) {
    bytes /= 1000;
    ++unit;
  }
  int decimals = unit == 0 || std::abs(bytes) >= 100 ? 0
                 : std::abs(bytes) >= 10             ? 1
                                                     : 2;
  char text[32];
  std::snprintf(text, sizeof(text), "%.*f %s", decimals, bytes, units[unit]);
  return text;
}

} // namespace shoal

#endif // SHOAL_SUPPORT_BYTES_H
