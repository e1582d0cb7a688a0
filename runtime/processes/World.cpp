// Messages between the processes of a run.
#include "shoal/runtime/World.h"
#include "Sockets.h"

#include <cstdlib>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace shoal::rt {

namespace {
enum class Kind : uint64_t { Data = 1, Abort, Bye, Ask, Answer };

/// What goes before the data of each message.
struct Frame {
  uint64_t kind;
  World::Key key;
  uint64_t bytes;
};

} // namespace

World::~World() {
  if (reader.joinable()) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      leaving = true;
    }
    ::close(std::exchange(wakePipe[1], -1)); // the reader sees the end of it
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
  send(to, static_cast<uint64_t>(Kind::Data), data, key);
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

void World::send(int to, uint64_t kind, std::span<const std::byte> data,
                 const Key &key) {
  Peer &peer = *peers[to];
  std::lock_guard<std::mutex> lock(peer.writing);
  Frame frame{kind, key, data.size()};
  // A broken connection is noticed by the reader, who knows more about it.
  if (writeAll(peer.socket, &frame, sizeof(frame)))
    writeAll(peer.socket, data.data(), data.size());
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
