// A rank's side of collectives: which stream, in which order, and messages.
//
// All collectives of a rank follow each other on the device, in the order of
// the program, whatever streams they are on: then no two communicators wait for
// each other crosswise. One that is started goes to a stream of its own, behind
// what the stream it was started from holds.
#include "core/CollectiveMoves.h"
#include "core/Instructions.h"
#include "cuda/Execution.h"

#include <cstring>

namespace shoal::cuda {

using Kind = program::CollectiveKind;

bool Rank::collective(const Instruction &i, Operands ops, bool start) {
  uint32_t event = 0;
  if (start) {
    event = static_cast<uint32_t>(run.program.operands(i)[0]);
    eventSet[event] = false;
  }
  rt::CollectiveOperands operands =
      rt::readCollective(run.program, cursor, ops);
  Issue issue;
  issue.instruction = &i;
  issue.call = std::move(operands.call);
  issue.group = operands.group;
  const program::Group &g = run.groups[issue.group];
  issue.position = run.program.position(g, number);
  if (issue.position < 0)
    return true;
  std::string wrong = rt::checkCall(issue.call, g.groupSize);
  if (!wrong.empty())
    return fail(rt::describe(issue.call) + " over " +
                rt::groupName(run.program, issue.group) + ": " + wrong);

  bool isSend = issue.call.kind == Kind::Send;
  bool isRecv = issue.call.kind == Kind::Recv;
  size_t n = issue.call.buffers.size();
  for (size_t b = 0; b < n; ++b) {
    issue.in.push_back(isRecv ? 0 : address(operands.in[b]));
    bool hasOut =
        !isSend && static_cast<uint32_t>(operands.out[b]) != program::kNone;
    issue.out.push_back(hasOut ? address(operands.out[b]) : 0);
    if (run.options.poison && hasOut && !isRecv &&
        !poison(static_cast<uint32_t>(operands.out[b]), operands.in, stream(i)))
      return false;
  }
  if (!isRecv && (g.groupSize > 1 || isSend) &&
      issue.call.kind != Kind::Barrier) {
    bytesSent += rt::bytesSent(issue.call, g.groupSize, issue.position);
    // As many as before some were combined.
    collectives +=
        issue.call.kind == Kind::RaggedAllToAll ? 1 : static_cast<int64_t>(n);
  }
  if (rt::hasFillSlot(issue.call))
    issue.fillFrom = address(issue.call.params[11]);
  if (isSend) {
    issue.stream = stream(i);
    return post(issue);
  }
  return exchange(i, issue, start, event);
}

bool Rank::exchange(const Instruction &i, Issue &issue, bool start,
                    uint32_t event) {
  CUstream from = stream(i), own = streams.back();
  bool aside = start || outstanding > 0 || i.stream != 0;
  issue.stream = aside ? own : from;
  issue.workspace = memory.workspace;
  if (lastCollective && lastCollective != issue.stream &&
      (!signal(orderEvent, lastCollective) ||
       !follow(issue.stream, orderEvent)))
    return false;
  if (aside && (!signal(orderEvent, from) || !follow(issue.stream, orderEvent)))
    return false;
  lastCollective = issue.stream;

  const program::Group &g = run.groups[issue.group];
  bool isRecv = issue.call.kind == Kind::Recv;
  Mail message;
  if (isRecv) {
    // The other half of a permute: who sends brings its oldest message.
    std::span<const int64_t> pairs = rt::pairsOf(issue.call);
    bool sends = false;
    for (size_t p = 0; p < pairs.size(); p += 2)
      sends |= pairs[p] == issue.position;
    if (sends) {
      auto &box = mail[{issue.group, issue.call.params[0]}];
      if (box.empty())
        return fail("recv over " + rt::groupName(run.program, issue.group) +
                    ": nothing was sent on its channel");
      message = std::move(box.front());
      box.pop_front();
      if (message.buffers.size() != issue.in.size())
        return fail("recv: a message has another number of buffers");
      for (size_t b = 0; b < issue.in.size(); ++b) {
        issue.in[b] = message.buffers[b];
        if (message.bytes[b] !=
            static_cast<size_t>(issue.call.buffers[b].outBytes))
          return fail(
              "recv of " + std::to_string(issue.call.buffers[b].outBytes) +
              " bytes, but " + std::to_string(message.bytes[b]) + " were sent");
      }
    }
  }

  bool good;
  if (g.groupSize == 1) {
    good = alone(issue);
  } else {
    issue.sequence = sequence[issue.group]++;
    Flight flight;
    flight.group = issue.group;
    flight.sequence = issue.sequence;
    flight.instruction = &i;
    flight.what = rt::describe(issue.call);
    flight.issued = run.now();
    flights.begin(std::move(flight), capturing ? nullptr : issue.stream);
    good = run.transport->issue(*this, issue);
    flights.end(capturing ? nullptr : issue.stream);
  }
  if (!good)
    return false;
  for (size_t b = 0; b < message.buffers.size(); ++b)
    freeMail.emplace(message.bytes[b], message.buffers[b]);

  if (start) {
    CUevent e = this->event(event);
    if (!e || !signal(e, issue.stream))
      return false;
    eventSet[event] = true;
    eventGroups[event] = issue.group;
    ++outstanding;
    return true;
  }
  return !aside ||
         (signal(orderEvent, issue.stream) && follow(from, orderEvent));
}

/// A group of one copies.
bool Rank::alone(const Issue &issue) {
  const rt::CollectiveCall &call = issue.call;
  std::vector<DeviceCopy> copies;
  for (size_t b = 0; b < call.buffers.size(); ++b) {
    if (!issue.out[b])
      continue;
    const auto &buffer = call.buffers[b];
    if (call.kind == Kind::AllReduce) {
      copies.push_back({issue.in[b], issue.out[b], buffer.inBytes});
      continue;
    }
    if (call.kind == Kind::RaggedAllToAll)
      return run.transport->issue(*this, issue);
    rt::Moves moves = rt::movesTo(call, 1, 0, b);
    if (!ok(fillRows(device, issue, moves.fills, b), "a fill"))
      return false;
    for (const rt::Move &m : moves.moves)
      copies.push_back(deviceCopy(m, issue.in[b], issue.out[b]));
  }
  return ok(device.copy(copies, issue.stream), "a copy");
}

/// Keeps a message until it is received. Its memory is used in order of the
/// stream, so that it can be used again as soon as the receive is issued.
bool Rank::post(const Issue &issue) {
  std::span<const int64_t> pairs = rt::pairsOf(issue.call);
  bool sends = false;
  for (size_t p = 0; p < pairs.size(); p += 2)
    sends |= pairs[p] == issue.position;
  if (!sends)
    return true;
  Mail message;
  for (size_t b = 0; b < issue.call.buffers.size(); ++b) {
    size_t bytes = static_cast<size_t>(issue.call.buffers[b].inBytes);
    CUdeviceptr buffer = 0;
    if (auto it = freeMail.find(bytes); it != freeMail.end()) {
      buffer = it->second;
      freeMail.erase(it);
    } else if (!ok(device.driver.memAlloc(&buffer, std::max<size_t>(bytes, 1)),
                   "allocating memory for a message")) {
      return false;
    }
    message.buffers.push_back(buffer);
    message.bytes.push_back(bytes);
    if (bytes && !ok(device.driver.memcpyDtoDAsync(buffer, issue.in[b], bytes,
                                                   issue.stream),
                     "keeping a message"))
      return false;
  }
  mail[{issue.group, issue.call.params[0]}].push_back(std::move(message));
  return true;
}

DeviceCopy deviceCopy(const rt::Move &m, CUdeviceptr source,
                      CUdeviceptr target) {
  return {source + static_cast<CUdeviceptr>(m.source.offset),
          target + static_cast<CUdeviceptr>(m.target.offset),
          m.bytes,
          m.rows,
          m.planes,
          m.source.pitch,
          m.target.pitch,
          m.source.plane,
          m.target.plane};
}

CUresult fillRows(const Device &device, const Issue &issue,
                  std::span<const rt::FillRows> fills, size_t b) {
  bool isReblock = issue.call.kind == Kind::Reblock;
  for (const rt::FillRows &f : fills) {
    FillParams p = {};
    p.target = issue.out[b] + static_cast<CUdeviceptr>(f.target.offset);
    p.bytes = f.bytes;
    p.rows = f.rows;
    p.pitch = f.target.pitch;
    p.width = 1;
    if (isReblock) {
      p.width = issue.call.params[8];
      p.from = issue.fillFrom;
      p.low = static_cast<uint64_t>(issue.call.params[9]);
      p.high = static_cast<uint64_t>(issue.call.params[10]);
    }
    if (CUresult r = device.fill(p, issue.stream))
      return r;
  }
  return CUDA_SUCCESS;
}

} // namespace shoal::cuda
