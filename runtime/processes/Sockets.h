// Whole reads and writes on sockets.
#ifndef SHOAL_RUNTIME_PROCESSES_SOCKETS_H
#define SHOAL_RUNTIME_PROCESSES_SOCKETS_H

#include <cstddef>

namespace shoal::rt {

/// False if the connection is broken before all bytes are through.
bool writeAll(int fd, const void *data, size_t bytes);
bool readAll(int fd, void *data, size_t bytes);
/// Reads fail after so many seconds; 0: never.
void setTimeout(int fd, double seconds);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_PROCESSES_SOCKETS_H
