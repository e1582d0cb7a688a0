#include "Sockets.h"

#include <cerrno>
#include <cstdint>
#include <sys/socket.h>
#include <sys/time.h>

namespace shoal::rt {

bool writeAll(int fd, const void *data, size_t bytes) {
  const char *p = static_cast<const char *>(data);
  while (bytes) {
    ssize_t n = ::send(fd, p, bytes, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    p += n;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

bool readAll(int fd, void *data, size_t bytes) {
  char *p = static_cast<char *>(data);
  while (bytes) {
    ssize_t n = ::recv(fd, p, bytes, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    p += n;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

void setTimeout(int fd, double seconds) {
  timeval t{static_cast<time_t>(seconds),
            static_cast<suseconds_t>((seconds - static_cast<int64_t>(seconds)) *
                                     1e6)};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

} // namespace shoal::rt
