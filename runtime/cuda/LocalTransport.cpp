#include "cuda/LocalTransport.h"

#include "core/Instructions.h"
#include "cuda/Execution.h"
#include "shoal/runtime/DType.h"

#include <cstdlib>

namespace shoal::cuda {

using Kind = program::CollectiveKind;

bool LocalTransport::isWanted() {
  const char *wanted = std::getenv("SHOAL_CUDA_SYMMETRIC");
  return wanted && std::string_view(wanted) == "1";
}

LocalTransport::LocalTransport(Execution &run)
    : run(run), isSymmetric(isWanted()) {}

/// The last rank frees what they share: all streams are idle then.
void LocalTransport::leave(Rank &rank) {
  std::lock_guard<std::mutex> lock(mutex);
  if (++left < static_cast<int64_t>(run.program.header().numRanks))
    return;
  for (auto &[group, meeting] : meetings)
    for (size_t i = 0; i < meeting->flags.size(); ++i) {
      meeting->ranks[i]->device.makeCurrent();
      rank.device.driver.memFree(meeting->flags[i]);
    }
  rank.device.makeCurrent();
}

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
  // Kernels that meet need no order between the streams.
  if (isSymmetric && canMeet(m))
    return reduceSymmetric(rank, m);
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
      if (rt::isReducing(own.call.kind)) {
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

/// Reductions of few enough ranks, whose parts nobody writes while others read
/// them.
bool LocalTransport::canMeet(const Meeting &m) const {
  const rt::CollectiveCall &call = m.first->call;
  if (m.ranks.size() > SymmetricParams::most)
    return false;
  if (call.kind == Kind::AllReduce)
    return true;
  if (call.kind != Kind::ReduceScatter)
    return false;
  for (size_t b = 0; b < call.buffers.size(); ++b)
    for (const Issue *i : m.issues)
      if (i->out[b] <
              i->in[b] + static_cast<CUdeviceptr>(call.buffers[b].inBytes) &&
          i->in[b] <
              i->out[b] + static_cast<CUdeviceptr>(call.buffers[b].outBytes))
        return false;
  return true;
}

/// Zero everywhere before the first kernel starts.
bool LocalTransport::makeFlags(Rank &rank, Meeting &m) {
  constexpr size_t bytes = SymmetricParams::flagWords * sizeof(uint64_t);
  const Driver &d = rank.device.driver;
  bool good = true;
  for (size_t i = 0; i < m.ranks.size() && good; ++i) {
    m.ranks[i]->device.makeCurrent();
    CUdeviceptr flags = 0;
    good = rank.ok(d.memAlloc(&flags, bytes), "memory for flags");
    if (!good)
      break;
    m.flags.push_back(flags);
    CUstream stream = m.issues[i]->stream;
    good = rank.ok(d.memsetD8Async(flags, 0, bytes, stream), "a fill") &&
           rank.ok(d.streamSynchronize(stream), "a fill");
  }
  rank.device.makeCurrent();
  return good;
}

/// All ranks' kernels; nothing else orders their streams.
bool LocalTransport::reduceSymmetric(Rank &rank, Meeting &m) {
  const rt::CollectiveCall &call = m.first->call;
  if (m.flags.empty() && !makeFlags(rank, m))
    return false;
  int64_t size = static_cast<int64_t>(m.ranks.size());
  SymmetricParams p = {};
  p.ranks = size;
  std::copy(m.flags.begin(), m.flags.end(), p.flags);
  FoldParams &fold = p.fold;
  fold.reduction = static_cast<int32_t>(call.reduction);
  fold.numIn = size;
  bool good = true;
  for (size_t b = 0; b < call.buffers.size() && good; ++b) {
    const auto &buffer = call.buffers[b];
    int64_t width = rt::byteSize(buffer.type);
    if (canMulticast(m, b)) {
      good = reduceMulticast(rank, m, b);
      continue;
    }
    fold.type = static_cast<int32_t>(buffer.type);
    p.number = m.launches++;
    for (p.rank = 0; p.rank < size && good; ++p.rank) {
      const Issue &issue = *m.issues[static_cast<size_t>(p.rank)];
      int64_t offset, bytes;
      if (call.kind == Kind::AllReduce) {
        // A slice of everybody's, for everybody.
        int64_t count = width ? buffer.inBytes / width : 0;
        int64_t each = (count + size - 1) / size;
        offset = std::min(count, p.rank * each) * width;
        bytes = std::min(count * width - offset, each * width);
        fold.rows = 1;
        fold.numOut = size;
        for (int64_t i = 0; i < size; ++i)
          fold.out[i] = m.issues[static_cast<size_t>(i)]->out[b] +
                        static_cast<CUdeviceptr>(offset);
      } else {
        int64_t inRow = call.params[1], outRow = call.params[2];
        offset = std::min(inRow, p.rank * outRow);
        bytes = std::min(outRow, inRow - offset);
        fold.rows = call.params[0];
        fold.inPitch = inRow;
        fold.outPitch = outRow;
        fold.numOut = 1;
        fold.out[0] = issue.out[b];
        if (!issue.out[b])
          bytes = 0;
      }
      // A rank without a share meets the others all the same.
      fold.count = width ? std::max<int64_t>(0, bytes) / width : 0;
      for (int64_t i = 0; i < size; ++i)
        fold.in[i] = m.issues[static_cast<size_t>(i)]->in[b] +
                     static_cast<CUdeviceptr>(offset);
      Rank &own = *m.ranks[static_cast<size_t>(p.rank)];
      own.device.makeCurrent();
      good = rank.ok(own.device.symmetric(p, issue.stream),
                     "a reduction on the memory of peers");
    }
  }
  rank.device.makeCurrent();
  return good;
}

CUdeviceptr LocalTransport::offsetOf(const Meeting &m, size_t i,
                                     CUdeviceptr address) const {
  for (const auto &memory : run.mappedArenas)
    if (&memory->device == &m.ranks[i]->device)
      return address - memory->base;
  return address;
}

void LocalTransport::makeWindow(Meeting &m) {
  m.triedWindow = true;
  std::vector<const MappedMemory *> memories;
  for (Rank *rank : m.ranks)
    for (const auto &memory : run.mappedArenas)
      if (&memory->device == &rank->device)
        memories.push_back(memory.get());
  if (memories.size() == m.ranks.size())
    m.window = MulticastWindow::make(memories);
}

/// Sums of f32 that lie at one place of all arenas, in units of 16 bytes.
bool LocalTransport::canMulticast(Meeting &m, size_t b) const {
  const rt::CollectiveCall &call = m.first->call;
  const auto &buffer = call.buffers[b];
  if (run.mappedArenas.empty() || call.reduction != program::Reduction::Add ||
      buffer.type != rt::DType::F32 || buffer.inBytes % 16 != 0)
    return false;
  bool scatters = call.kind == Kind::ReduceScatter;
  if (scatters && (call.params[0] != 1 || call.params[2] % 16 != 0))
    return false;
  CUdeviceptr first = 0;
  for (size_t i = 0; i < m.ranks.size(); ++i) {
    CUdeviceptr at = scatters ? m.issues[i]->in[b] : m.issues[i]->out[b];
    CUdeviceptr offset = at ? offsetOf(m, i, at) : 1;
    if (i == 0)
      first = offset;
    if (offset != first || offset % 16 != 0)
      return false;
  }
  if (!m.triedWindow)
    const_cast<LocalTransport *>(this)->makeWindow(m);
  return m.window != nullptr;
}

/// By the switch: each rank's kernel adds up its share of all memories, and
/// gives it to all of them, or keeps it.
bool LocalTransport::reduceMulticast(Rank &rank, Meeting &m, size_t b) {
  const rt::CollectiveCall &call = m.first->call;
  const auto &buffer = call.buffers[b];
  bool scatters = call.kind == Kind::ReduceScatter;
  int64_t size = static_cast<int64_t>(m.ranks.size());
  MultimemParams p = {};
  p.ranks = size;
  std::copy(m.flags.begin(), m.flags.end(), p.flags);
  p.number = m.launches++;
  CUdeviceptr at = scatters ? m.issues[0]->in[b] : m.issues[0]->out[b];
  p.window = m.window->base + offsetOf(m, 0, at);
  int64_t units = buffer.inBytes / 16;
  int64_t each = scatters ? call.params[2] / 16 : (units + size - 1) / size;
  for (p.rank = 0; p.rank < size; ++p.rank) {
    const Issue &issue = *m.issues[static_cast<size_t>(p.rank)];
    Rank &own = *m.ranks[static_cast<size_t>(p.rank)];
    own.device.makeCurrent();
    // All add up where the sums go: before its kernel, which waits for others.
    if (!scatters && issue.in[b] != issue.out[b] &&
        !rank.ok(own.device.driver.memcpyDtoDAsync(
                     issue.out[b], issue.in[b],
                     static_cast<size_t>(buffer.inBytes), issue.stream),
                 "a copy"))
      return false;
    int64_t first = std::min(units, p.rank * each);
    p.first = first * 4;
    p.count = std::min(units - first, each) * 4;
    p.out = scatters ? issue.out[b] : 0;
    if (scatters && !issue.out[b])
      p.count = 0;
    if (!rank.ok(own.device.multimem(p, scatters, issue.stream),
                 "a reduction on multicast memory"))
      return false;
  }
  rank.device.makeCurrent();
  return true;
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
