#include "shoal/runtime/World.h"

#include <arpa/inet.h>
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
#include <sys/stat.h>
#include <unistd.h>

namespace shoal::rt {

using Clock = std::chrono::steady_clock;

namespace {
enum class Kind : uint64_t { Data = 1, Abort, Bye, Ask, Answer };

/// What goes before the data of each message.
struct Frame {
  uint64_t kind;
  World::Key key;
  uint64_t bytes;
};

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

uint64_t hashText(const std::string &text) {
  uint64_t h = 1469598103934665603u; // FNV-1a
  for (char c : text)
    h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return h;
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
  hello.job = hashText(place.job);
  hello.rank = place.rank;
  hello.size = place.size;
  hello.pid = ::getpid();
  hello.port = port;
  ::gethostname(hello.host, sizeof(hello.host) - 1);
  return hello;
}

bool isFriend(const Hello &hello, const ProcessPlace &place) {
  return std::memcmp(hello.magic, Hello().magic, sizeof(hello.magic)) == 0 &&
         hello.job == hashText(place.job) && hello.size == place.size &&
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

World::~World() {
  if (reader.joinable()) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      leaving = true;
    }
    if (::write(wakePipe[1], "", 1) < 0)
      ::abort();
    reader.join();
  }
  for (auto &peer : peers)
    if (peer->socket >= 0)
      ::close(peer->socket);
  for (int fd : wakePipe)
    if (fd >= 0)
      ::close(fd);
}

void World::post(int to, const Key &key, std::span<const std::byte> data) {
  Peer &peer = *peers[to];
  std::lock_guard<std::mutex> lock(peer.writing);
  Frame frame{static_cast<uint64_t>(Kind::Data), key, data.size()};
  // A broken connection is noticed by the reader, who knows more about it.
  if (writeAll(peer.socket, &frame, sizeof(frame)))
    writeAll(peer.socket, data.data(), data.size());
}

std::optional<std::vector<std::byte>> World::take(int from, const Key &key) {
  std::unique_lock<std::mutex> lock(mutex);
  std::pair<int, Key> at(from, key);
  arrived.wait(lock, [&] {
    return interrupted || !failure.isOk() || messages.count(at);
  });
  auto it = messages.find(at);
  if (it == messages.end())
    return std::nullopt;
  std::vector<std::byte> data = std::move(it->second.front());
  it->second.pop_front();
  if (it->second.empty())
    messages.erase(it);
  return data;
}

void World::onFailure(std::function<void(Status)> f) {
  std::lock_guard<std::mutex> lock(calling);
  callback = std::move(f);
  Status known;
  {
    std::lock_guard<std::mutex> state(mutex);
    known = failure;
  }
  if (callback && !known.isOk())
    callback(known);
}

void World::failed(int process, const std::string &why) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    peers[process]->ended = true;
    if (!failure.isOk())
      return;
    failure = Status::fault(why);
    arrived.notify_all();
  }
  std::lock_guard<std::mutex> lock(calling);
  if (callback)
    callback(Status::fault(why));
}

void World::abort(const std::string &why) {
  for (int i = 0; i < place.size; ++i) {
    if (i == place.rank)
      continue;
    send(i, static_cast<uint64_t>(Kind::Abort), std::as_bytes(std::span(why)));
  }
}

void World::interrupt() {
  std::lock_guard<std::mutex> lock(mutex);
  interrupted = true;
  arrived.notify_all();
}

Status World::status() {
  std::lock_guard<std::mutex> lock(mutex);
  return failure;
}

void World::send(int to, uint64_t kind, std::span<const std::byte> data) {
  std::lock_guard<std::mutex> lock(peers[to]->writing);
  Frame frame{kind, {}, data.size()};
  if (writeAll(peers[to]->socket, &frame, sizeof(frame)))
    writeAll(peers[to]->socket, data.data(), data.size());
}

void World::onQuestion(std::function<Activity()> f) {
  std::lock_guard<std::mutex> lock(calling);
  answer = std::move(f);
}

void World::reply(int to) {
  Activity activity;
  {
    std::lock_guard<std::mutex> lock(calling);
    if (answer)
      activity = answer();
    else
      activity.text = "it is between steps";
  }
  std::string text = (activity.waits ? "w" : "-") + activity.text;
  send(to, static_cast<uint64_t>(Kind::Answer), std::as_bytes(std::span(text)));
}

std::vector<World::Activity> World::survey(double seconds) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    answers.clear();
  }
  for (int i = 0; i < place.size; ++i)
    if (i != place.rank)
      send(i, static_cast<uint64_t>(Kind::Ask), {});
  std::unique_lock<std::mutex> lock(mutex);
  arrived.wait_for(lock, std::chrono::duration<double>(seconds), [&] {
    return static_cast<int>(answers.size()) == place.size - 1;
  });
  std::vector<Activity> result(static_cast<size_t>(place.size));
  for (auto &[process, activity] : answers)
    result[process] = activity;
  return result;
}

bool World::meetAtEnd() {
  for (int i = 0; i < place.size; ++i) {
    if (i == place.rank)
      continue;
    send(i, static_cast<uint64_t>(Kind::Bye), {});
  }
  std::unique_lock<std::mutex> lock(mutex);
  arrived.wait(lock, [&] {
    if (!failure.isOk())
      return true;
    for (int i = 0; i < place.size; ++i)
      if (i != place.rank && !peers[i]->ended)
        return false;
    return true;
  });
  return failure.isOk();
}

/// The only reader of all connections.
void World::readMain() {
  std::vector<pollfd> polls;
  std::vector<int> who;
  for (int i = 0; i < place.size; ++i)
    if (i != place.rank) {
      polls.push_back({peers[i]->socket, POLLIN, 0});
      who.push_back(i);
    }
  polls.push_back({wakePipe[0], POLLIN, 0});
  for (;;) {
    if (::poll(polls.data(), polls.size(), -1) < 0)
      continue;
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (leaving)
        return;
    }
    for (size_t i = 0; i < who.size(); ++i) {
      if (polls[i].fd < 0 || !polls[i].revents)
        continue;
      Frame frame;
      std::vector<std::byte> data;
      bool good = readAll(polls[i].fd, &frame, sizeof(frame));
      if (good) {
        data.resize(frame.bytes);
        good = readAll(polls[i].fd, data.data(), data.size());
      }
      if (!good) {
        polls[i].fd = -1;
        bool expected;
        {
          std::lock_guard<std::mutex> lock(mutex);
          expected = peers[who[i]]->ended;
        }
        if (!expected)
          failed(who[i], peers[who[i]]->name + " died");
        continue;
      }
      if (frame.kind == static_cast<uint64_t>(Kind::Ask)) {
        reply(who[i]);
        continue;
      }
      if (frame.kind == static_cast<uint64_t>(Kind::Abort)) {
        failed(who[i], peers[who[i]]->name + " failed: " +
                           std::string(reinterpret_cast<char *>(data.data()),
                                       data.size()));
        continue;
      }
      std::lock_guard<std::mutex> lock(mutex);
      if (frame.kind == static_cast<uint64_t>(Kind::Bye))
        peers[who[i]]->ended = true;
      else if (frame.kind == static_cast<uint64_t>(Kind::Answer))
        answers[who[i]] = {
            !data.empty() && data[0] == std::byte{'w'},
            std::string(reinterpret_cast<char *>(data.data()), data.size())
                .substr(data.empty() ? 0 : 1)};
      else
        messages[{who[i], frame.key}].push_back(std::move(data));
      arrived.notify_all();
    }
  }
}

} // namespace shoal::rt
