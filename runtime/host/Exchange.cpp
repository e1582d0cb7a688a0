// What members of a collective send each other when they live in different
// processes.
//
// The inputs of a remote member are received into a buffer of their size, of
// which only what is needed here is ever touched; then the members here are
// served by the same code that serves a group in one process. All-reduce alone
// has a form of its own: every member folds a part of the elements.
#include "host/Exchange.h"

#include "host/Reduce.h"
#include "shoal/runtime/DType.h"

#include <algorithm>
#include <cstring>

namespace shoal::rt {

using Kind = program::CollectiveKind;

namespace {

/// Key words: the last one numbers the messages of one collective.
enum Phase : uint64_t { Inputs = 0, Headers = 1, Folded = 2 };

class Message {
public:
  explicit Message(uint64_t fingerprint) { add(&fingerprint, 8); }
  void add(const void *data, int64_t bytes) {
    const std::byte *p = static_cast<const std::byte *>(data);
    content.insert(content.end(), p, p + bytes);
  }
  std::vector<std::byte> content;
};

class Reader {
public:
  explicit Reader(const std::vector<std::byte> &content) : content(content) {}
  bool get(void *to, int64_t bytes) {
    if (bytes < 0 || at + static_cast<size_t>(bytes) > content.size())
      return false;
    std::memcpy(to, content.data() + at, static_cast<size_t>(bytes));
    at += static_cast<size_t>(bytes);
    return true;
  }

private:
  const std::vector<std::byte> &content;
  size_t at = 0;
};

/// Elements that the member at `position` folds in an all-reduce.
std::pair<int64_t, int64_t> share(int64_t count, int64_t p, int64_t position) {
  int64_t each = (count + p - 1) / p;
  int64_t begin = std::min(count, each * position);
  return {begin, std::min(count, begin + each)};
}

} // namespace

std::string Exchange::run(bool &interrupted) {
  interrupted = false;
  int64_t p = static_cast<int64_t>(members.size());
  auto isHere = [&](int64_t m) { return homes[m] == world.rank(); };
  auto keyOf = [&](Phase phase, int64_t from, int64_t to) {
    World::Key k = key;
    k[3] = static_cast<uint64_t>(phase) << 60 |
           static_cast<uint64_t>(from) << 30 | static_cast<uint64_t>(to);
    return k;
  };

  // Memory for the inputs of the others. calloc gives pages only when touched.
  struct Free {
    void operator()(std::byte *b) const { std::free(b); }
  };
  std::vector<std::unique_ptr<std::byte, Free>> remote;
  for (int64_t m = 0; m < p; ++m) {
    if (isHere(m))
      continue;
    for (const auto &b : call.buffers) {
      size_t bytes = static_cast<size_t>(std::max<int64_t>(b.inBytes, 1));
      remote.emplace_back(static_cast<std::byte *>(std::calloc(bytes, 1)));
      if (!remote.back())
        return "there is not enough memory for it";
      members[m].in.push_back(remote.back().get());
      members[m].out.push_back(nullptr);
    }
  }

  /// One phase: every member here sends to every member elsewhere what `visit`
  /// enumerates, and the other way round.
  auto exchange = [&](Phase phase, auto &&visit) -> std::string {
    for (int64_t from = 0; from < p; ++from) {
      if (!isHere(from))
        continue;
      for (int64_t to = 0; to < p; ++to) {
        if (isHere(to))
          continue;
        Message message(fingerprint);
        visit(from, to, [&](std::byte *data, int64_t bytes) {
          message.add(data, bytes);
          return true;
        });
        world.post(homes[to], keyOf(phase, from, to), message.content);
      }
    }
    for (int64_t from = 0; from < p; ++from) {
      if (isHere(from))
        continue;
      for (int64_t to = 0; to < p; ++to) {
        if (!isHere(to))
          continue;
        auto data = world.take(homes[from], keyOf(phase, from, to));
        if (!data) {
          interrupted = true;
          return "";
        }
        Reader reader(*data);
        uint64_t theirs = 0;
        bool good = reader.get(&theirs, 8) && theirs == fingerprint;
        if (good)
          visit(from, to, [&](std::byte *into, int64_t bytes) {
            return good = good && reader.get(into, bytes);
          });
        if (!good)
          return "the members at positions " + std::to_string(from) + " and " +
                 std::to_string(to) + " of the group disagree about it";
      }
    }
    return "";
  };
  auto input = [&](int64_t from, size_t b) {
    return const_cast<std::byte *>(members[from].in[b]);
  };

  if (call.kind == Kind::AllReduce) {
    // Parts of the inputs go to who folds them.
    auto part = [&](size_t b, int64_t position) {
      int64_t width = byteSize(call.buffers[b].type);
      auto [begin, end] =
          share(width ? call.buffers[b].inBytes / width : 0, p, position);
      return std::pair(begin * width, (end - begin) * width);
    };
    std::string wrong =
        exchange(Inputs, [&](int64_t from, int64_t to, auto at) {
          for (size_t b = 0; b < call.buffers.size(); ++b) {
            auto [offset, bytes] = part(b, to);
            at(input(from, b) + offset, bytes);
          }
        });
    if (!wrong.empty() || interrupted)
      return wrong;
    // Inputs may be outputs, so results are put aside until all are folded.
    std::vector<std::vector<std::byte>> folded(call.buffers.size());
    for (size_t b = 0; b < call.buffers.size(); ++b)
      folded[b].resize(static_cast<size_t>(call.buffers[b].inBytes));
    for (int64_t m = 0; m < p; ++m) {
      if (!isHere(m))
        continue;
      for (size_t b = 0; b < call.buffers.size(); ++b) {
        auto [offset, bytes] = part(b, m);
        std::vector<const std::byte *> in;
        for (const MemberBuffers &member : members)
          in.push_back(member.in[b] + offset);
        int64_t width = byteSize(call.buffers[b].type);
        if (bytes)
          reduceElements(call.buffers[b].type, call.reduction, in,
                         folded[b].data() + offset, bytes / width);
      }
    }
    // Each folded part goes to everybody.
    wrong = exchange(Folded, [&](int64_t from, int64_t, auto at) {
      for (size_t b = 0; b < call.buffers.size(); ++b) {
        auto [offset, bytes] = part(b, from);
        at(folded[b].data() + offset, bytes);
      }
    });
    if (!wrong.empty() || interrupted)
      return wrong;
    for (int64_t m = 0; m < p; ++m)
      if (isHere(m))
        for (size_t b = 0; b < call.buffers.size(); ++b)
          std::memcpy(members[m].out[b], folded[b].data(), folded[b].size());
    return "";
  }

  if (call.kind == Kind::RaggedAllToAll) {
    // Offsets and counts first: they say what else is sent.
    std::string wrong = exchange(Headers, [&](int64_t from, int64_t, auto at) {
      for (size_t b : {2, 3, 4})
        at(input(from, b), call.buffers[b].inBytes);
    });
    if (!wrong.empty() || interrupted)
      return wrong;
  }
  std::string wrong = exchange(Inputs, [&](int64_t from, int64_t to, auto at) {
    for (size_t b = 0; b < call.buffers.size(); ++b)
      forEachNeeded(call, p, members[from], from, to, b,
                    [&](int64_t offset, int64_t bytes) {
                      at(input(from, b) + offset, bytes);
                    });
  });
  if (!wrong.empty() || interrupted)
    return wrong;
  executeCollective(call, members);
  return "";
}

} // namespace shoal::rt
