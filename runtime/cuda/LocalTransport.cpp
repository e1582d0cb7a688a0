#include "cuda/LocalTransport.h"

#include "core/Instructions.h"
#include "cuda/Execution.h"
#include "shoal/runtime/DType.h"

namespace shoal::cuda {

using Kind = program::CollectiveKind;

LocalTransport::Meeting &LocalTransport::meeting(uint32_t group,
                                                 int64_t leader) {
  std::lock_guard<std::mutex> lock(mutex);
  auto &place = meetings[{group, leader}];
  if (!place)
    place = std::make_unique<Meeting>();
  return *place;
}

bool LocalTransport::issue(Rank &rank, const Issue &issue) {
  const program::Group &g = run.groups[issue.group];
  Meeting &m = meeting(issue.group, run.program.member(g, rank.number, 0));
  // Before the lock: others may be waiting for it.
  if (!rank.ok(rank.device.driver.eventRecord(rank.readyEvent, issue.stream),
               "recording an event"))
    return false;
  std::unique_lock<std::mutex> lock(m.mutex);
  if (m.arrived == 0) {
    m.ranks.assign(static_cast<size_t>(g.groupSize), nullptr);
    m.issues.assign(static_cast<size_t>(g.groupSize), nullptr);
    m.first = &issue;
  } else if (m.first->instruction != issue.instruction ||
             !(m.first->call == issue.call)) {
    return rank.fail(
        "ranks disagree about collective number " +
        std::to_string(issue.sequence) + " over " +
        rt::groupName(run.program, issue.group) + ": this one issues " +
        rt::describe(issue.call) + ", but rank " +
        std::to_string(run.program.member(g, rank.number, m.first->position)) +
        " issued " + rt::describe(m.first->call) +
        rt::locationOf(run.program, *m.first->instruction));
  }
  m.ranks[issue.position] = &rank;
  m.issues[issue.position] = &issue;
  uint64_t round = m.round;
  if (++m.arrived < g.groupSize)
    return run.waitUntil(lock, m.changed, rank,
                         [&] { return m.round != round; });
  bool good = perform(rank, m);
  m.arrived = 0;
  ++m.round;
  m.changed.notify_all();
  return good;
}

bool LocalTransport::perform(Rank &rank, Meeting &m) {
  const Driver &d = rank.device.driver;
  size_t p = m.ranks.size();
  size_t self = 0;
  while (m.ranks[self] != &rank)
    ++self;
  const Issue &own = *m.issues[self];
  for (Rank *r : m.ranks)
    if (r != &rank && !rank.ok(d.streamWaitEvent(own.stream, r->readyEvent, 0),
                               "waiting for another rank"))
      return false;

  if (own.call.kind == Kind::RaggedAllToAll) {
    if (!ragged(rank, m))
      return false;
  } else {
    std::vector<DeviceCopy> copies;
    for (size_t b = 0; b < own.call.buffers.size(); ++b) {
      if (own.call.kind == Kind::AllReduce ||
          own.call.kind == Kind::ReduceScatter) {
        if (!reduce(rank, m, b))
          return false;
        continue;
      }
      for (size_t to = 0; to < p; ++to) {
        Issue target = *m.issues[to];
        if (!target.out[b])
          continue;
        target.stream = own.stream;
        rt::Moves moves = rt::movesTo(own.call, static_cast<int64_t>(p),
                                      static_cast<int64_t>(to), b);
        if (!rank.ok(fillRows(rank.device, target, moves.fills, b), "a fill"))
          return false;
        for (const rt::Move &v : moves.moves)
          copies.push_back(
              deviceCopy(v, m.issues[v.from]->in[b], target.out[b]));
      }
    }
    if (!rank.ok(rank.device.copy(copies, own.stream), "copies between ranks"))
      return false;
  }

  if (!rank.ok(d.eventRecord(rank.doneEvent, own.stream), "recording an event"))
    return false;
  bool good = true;
  for (size_t i = 0; i < p; ++i) {
    if (m.ranks[i] == &rank)
      continue;
    m.ranks[i]->device.makeCurrent();
    good &= rank.ok(d.streamWaitEvent(m.issues[i]->stream, rank.doneEvent, 0),
                    "waiting for another rank");
  }
  rank.device.makeCurrent();
  return good;
}

bool LocalTransport::reduce(Rank &rank, const Meeting &m, size_t b) {
  const Issue &any = *m.first;
  const auto &buffer = any.call.buffers[b];
  int64_t width = rt::byteSize(buffer.type);
  if (width == 0)
    return true;
  CUstream stream = nullptr;
  for (size_t i = 0; i < m.ranks.size(); ++i)
    if (m.ranks[i] == &rank)
      stream = m.issues[i]->stream;
  FoldParams p = {};
  p.type = static_cast<int32_t>(buffer.type);
  p.reduction = static_cast<int32_t>(any.call.reduction);
  std::vector<CUdeviceptr> in, out;
  if (any.call.kind == Kind::AllReduce) {
    for (const Issue *i : m.issues) {
      in.push_back(i->in[b]);
      out.push_back(i->out[b]);
    }
    p.count = buffer.inBytes / width;
    p.rows = 1;
    return rank.ok(rank.device.fold(p, in, out, stream), "a reduction");
  }
  int64_t outer = any.call.params[0], inRow = any.call.params[1],
          outRow = any.call.params[2];
  for (size_t to = 0; to < m.issues.size(); ++to) {
    int64_t offset = static_cast<int64_t>(to) * outRow;
    int64_t bytes = std::min(outRow, inRow - offset);
    if (bytes <= 0 || !m.issues[to]->out[b])
      continue; // only padding
    in.clear();
    for (const Issue *i : m.issues)
      in.push_back(i->in[b] + static_cast<CUdeviceptr>(offset));
    CUdeviceptr target = m.issues[to]->out[b];
    p.count = bytes / width;
    p.rows = outer;
    p.inPitch = inRow;
    p.outPitch = outRow;
    if (in.size() > FoldParams::most)
      return rank.fail("a reduce_scatter over more than " +
                       std::to_string(FoldParams::most) + " ranks needs NCCL");
    if (!rank.ok(rank.device.fold(p, in, {&target, 1}, stream), "a reduction"))
      return false;
  }
  return true;
}

/// Offsets and sizes are data: they are read by the host first.
bool LocalTransport::ragged(Rank &rank, const Meeting &m) {
  const Issue &any = *m.first;
  int64_t rowBytes = any.call.params[0];
  CUstream stream = nullptr;
  for (size_t i = 0; i < m.ranks.size(); ++i)
    if (m.ranks[i] == &rank)
      stream = m.issues[i]->stream;
  std::vector<std::vector<std::byte>> data;
  std::vector<std::vector<const std::byte *>> headers;
  std::vector<DeviceCopy> copies;
  for (const Issue *i : m.issues) {
    headers.emplace_back(6, nullptr);
    for (size_t h : {2, 3, 4}) {
      data.emplace_back(static_cast<size_t>(any.call.buffers[h].inBytes));
      if (!rank.download(data.back().data(), i->in[h], data.back().size(),
                         stream))
        return false;
      headers.back()[h] = data.back().data();
    }
    if (i->out[0])
      copies.push_back({i->in[1], i->out[0], any.call.buffers[1].inBytes});
  }
  // The old contents first, then the pieces over them.
  if (!rank.ok(rank.device.copy(copies, stream), "a copy"))
    return false;
  copies.clear();
  for (size_t from = 0; from < m.issues.size(); ++from)
    for (size_t to = 0; to < m.issues.size(); ++to) {
      rt::RaggedPiece piece =
          rt::raggedPiece(any.call, headers[from], static_cast<int64_t>(to));
      if (m.issues[to]->out[0] && piece.count > 0)
        copies.push_back({m.issues[from]->in[0] +
                              static_cast<CUdeviceptr>(piece.source * rowBytes),
                          m.issues[to]->out[0] +
                              static_cast<CUdeviceptr>(piece.target * rowBytes),
                          piece.count * rowBytes});
    }
  return rank.ok(rank.device.copy(copies, stream), "copies between ranks");
}

} // namespace shoal::cuda
