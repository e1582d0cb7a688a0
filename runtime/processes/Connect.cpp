// How the processes of a run find each other: process 0 listens where all can
// find it, tells everybody where everybody listens, and each pair connects.
#include "Sockets.h"
#include "shoal/runtime/Program.h"
#include "shoal/runtime/World.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace shoal::rt {

using Clock = std::chrono::steady_clock;

namespace {
/// The first thing a process says on a new connection, and the answer of
/// process 0: where everybody listens.
struct Hello {
  char magic[8] = {'s', 'h', 'o', 'a', 'l', '-', 'p', '1'};
  uint64_t job = 0;
  int32_t rank = 0, size = 0, pid = 0;
  uint32_t address = 0; ///< IPv4, network order; 0: the one seen
  uint16_t port = 0;    ///< network order
  char host[62] = {};
};

/// What processes of one run agree on without saying the name.
uint64_t jobNumber(const ProcessPlace &place) {
  return program::checksum(place.job.data(), place.job.size());
}

/// A listening socket; port 0: any.
int listenAt(bool everywhere, uint16_t &port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(everywhere ? INADDR_ANY : INADDR_LOOPBACK);
  a.sin_port = port;
  socklen_t n = sizeof(a);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr *>(&a), n) ||
      ::listen(fd, 1024) ||
      ::getsockname(fd, reinterpret_cast<sockaddr *>(&a), &n)) {
    if (fd >= 0)
      ::close(fd);
    return -1;
  }
  port = a.sin_port;
  return fd;
}

int connectTo(uint32_t address, uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = address;
  a.sin_port = port;
  if (fd >= 0 && ::connect(fd, reinterpret_cast<sockaddr *>(&a), sizeof(a))) {
    ::close(fd);
    return -1;
  }
  return fd;
}

int acceptUntil(int listener, Clock::time_point deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - Clock::now());
  pollfd p{listener, POLLIN, 0};
  if (left.count() <= 0 || ::poll(&p, 1, static_cast<int>(left.count())) <= 0)
    return -1;
  return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
}

/// Where processes on one machine find process 0: a file with its port.
std::string meetingFile(const std::string &job) {
  const char *dir = std::getenv("TMPDIR");
  return std::string(dir && *dir ? dir : "/tmp") + "/shoal-" +
         std::to_string(::getuid()) + "-" + job + ".port";
}

bool publish(const std::string &path, uint16_t port) {
  std::string fresh = path + "." + std::to_string(::getpid());
  int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return false;
  std::string text = std::to_string(ntohs(port)) + "\n";
  bool good = ::write(fd, text.data(), text.size()) ==
              static_cast<ssize_t>(text.size());
  ::close(fd);
  good = good && ::rename(fresh.c_str(), path.c_str()) == 0;
  if (!good)
    ::unlink(fresh.c_str());
  return good;
}

Hello makeHello(const ProcessPlace &place, uint16_t port) {
  Hello hello;
  hello.job = jobNumber(place);
  hello.rank = place.rank;
  hello.size = place.size;
  hello.pid = ::getpid();
  hello.port = port;
  ::gethostname(hello.host, sizeof(hello.host) - 1);
  return hello;
}

bool isFriend(const Hello &hello, const ProcessPlace &place) {
  return std::memcmp(hello.magic, Hello().magic, sizeof(hello.magic)) == 0 &&
         hello.job == jobNumber(place) && hello.size == place.size &&
         hello.rank >= 0 && hello.rank < place.size;
}

std::string nameOf(const Hello &hello) {
  return "process " + std::to_string(hello.rank) + " (pid " +
         std::to_string(hello.pid) + " on " +
         std::string(hello.host, strnlen(hello.host, sizeof(hello.host))) + ")";
}
} // namespace

Status World::connect(Clock::time_point deadline) {
  for (int i = 0; i < place.size; ++i)
    peers.push_back(std::make_unique<Peer>());
  bool local = place.address.empty();
  std::string host, portText;
  if (!local) {
    size_t colon = place.address.rfind(':');
    host = place.address.substr(0, colon);
    portText = place.address.substr(colon + 1);
  }
  uint16_t port = 0;
  if (place.rank == 0 && !local)
    port = htons(static_cast<uint16_t>(std::atoi(portText.c_str())));
  int listener = listenAt(!local, port);
  if (listener < 0)
    return Status::fault("process 0 cannot listen at port " + portText + ": " +
                         std::strerror(errno));
  Hello mine = makeHello(place, port);
  std::vector<Hello> all(static_cast<size_t>(place.size));
  all[place.rank] = mine;
  std::string path = local ? meetingFile(place.job) : "";
  auto missing = [&] {
    std::string text;
    for (int i = 0; i < place.size; ++i)
      if (i != place.rank && peers[i]->socket < 0)
        text += (text.empty() ? "" : ", ") + std::to_string(i);
    ::close(listener);
    if (local && place.rank == 0)
      ::unlink(path.c_str());
    return Status::fault("process " + std::to_string(place.rank) + " of " +
                         std::to_string(place.size) +
                         " waited in vain for process " + text +
                         "; were all of them started?");
  };

  if (place.rank == 0) {
    if (local && !publish(path, port))
      return Status::fault("cannot write '" + path +
                           "': " + std::strerror(errno));
    for (int count = 1; count < place.size;) {
      int fd = acceptUntil(listener, deadline);
      if (fd < 0)
        return missing();
      Hello hello;
      setTimeout(fd, 5);
      sockaddr_in from{};
      socklen_t n = sizeof(from);
      ::getpeername(fd, reinterpret_cast<sockaddr *>(&from), &n);
      if (!readAll(fd, &hello, sizeof(hello)) || !isFriend(hello, place) ||
          hello.rank == 0 || peers[hello.rank]->socket >= 0) {
        ::close(fd); // somebody else's
        continue;
      }
      hello.address = from.sin_addr.s_addr;
      all[hello.rank] = hello;
      peers[hello.rank]->socket = fd;
      ++count;
    }
    if (local)
      ::unlink(path.c_str());
    for (int i = 1; i < place.size; ++i)
      if (!writeAll(peers[i]->socket, all.data(), all.size() * sizeof(Hello)))
        return missing();
  } else {
    // The file of an earlier run may still lie there: try until one answers.
    uint32_t address = htonl(INADDR_LOOPBACK);
    for (bool joined = false; !joined;) {
      if (Clock::now() >= deadline)
        return missing();
      uint16_t root = 0;
      if (local) {
        std::ifstream file(path);
        int number;
        if (file >> number)
          root = htons(static_cast<uint16_t>(number));
      } else {
        root = htons(static_cast<uint16_t>(std::atoi(portText.c_str())));
        addrinfo hints{}, *found = nullptr;
        hints.ai_family = AF_INET;
        if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) == 0) {
          address =
              reinterpret_cast<sockaddr_in *>(found->ai_addr)->sin_addr.s_addr;
          ::freeaddrinfo(found);
        }
      }
      int fd = root ? connectTo(address, root) : -1;
      if (fd >= 0) {
        double left =
            std::chrono::duration<double>(deadline - Clock::now()).count();
        setTimeout(fd, std::max(0.1, left));
        joined = writeAll(fd, &mine, sizeof(mine)) &&
                 readAll(fd, all.data(), all.size() * sizeof(Hello)) &&
                 isFriend(all[0], place) && all[0].rank == 0;
        if (joined)
          peers[0]->socket = fd;
        else
          ::close(fd);
      }
      if (!joined)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    all[0].address = address;
    // The lower number listens, the higher one connects.
    for (int i = 1; i < place.rank; ++i) {
      int fd = connectTo(all[i].address, all[i].port);
      if (fd < 0 || !writeAll(fd, &mine, sizeof(mine)))
        return missing();
      peers[i]->socket = fd;
    }
    for (int count = place.rank + 1; count < place.size;) {
      int fd = acceptUntil(listener, deadline);
      if (fd < 0)
        return missing();
      Hello hello;
      setTimeout(fd, 5);
      if (!readAll(fd, &hello, sizeof(hello)) || !isFriend(hello, place) ||
          hello.rank <= place.rank || peers[hello.rank]->socket >= 0) {
        ::close(fd);
        continue;
      }
      peers[hello.rank]->socket = fd;
      ++count;
    }
  }
  ::close(listener);
  for (int i = 0; i < place.size; ++i) {
    peers[i]->name = nameOf(all[i]);
    if (i == place.rank)
      continue;
    int one = 1;
    ::setsockopt(peers[i]->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    ::setsockopt(peers[i]->socket, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setTimeout(peers[i]->socket, 0);
  }
  if (::pipe2(wakePipe, O_CLOEXEC))
    return Status::fault(std::string("pipe: ") + std::strerror(errno));
  reader = std::thread([this] { readMain(); });
  return Status::ok();
}

Result<std::unique_ptr<World>> World::join(const ProcessPlace &place,
                                           double seconds) {
  std::unique_ptr<World> world(new World(place));
  Status status = world->connect(Clock::now() +
                                 std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(seconds)));
  if (!status)
    return status;
  return world;
}

} // namespace shoal::rt
