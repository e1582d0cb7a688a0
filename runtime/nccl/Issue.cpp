// Putting a collective on a stream: what is packed or converted before NCCL's
// calls, the calls themselves as one group, and what is undone behind them.
#include "nccl/NcclTransport.h"

#include "cuda/Execution.h"
#include "shoal/runtime/DType.h"

namespace shoal::nccl {

using cuda::CUdeviceptr;
using cuda::DeviceCopy;
using Kind = program::CollectiveKind;
using Way = Reducing::Way;

struct NcclTransport::Work {
  cuda::Rank &rank;
  const cuda::Issue &issue;
  ncclComm_t comm;
  int64_t p;
  WorkspaceUse workspace = {};
  /// NCCL's calls, and what follows them.
  std::vector<std::function<ncclResult_t()>> calls;
  std::vector<std::function<bool()>> after;

  CUdeviceptr at(int64_t offset) const {
    return issue.workspace + static_cast<CUdeviceptr>(offset);
  }
  bool copy(std::span<const DeviceCopy> copies) const {
    return rank.ok(rank.device.copy(copies, issue.stream),
                   "copies of a collective");
  }
  bool convert(program::DType type, cuda::Convert what, CUdeviceptr in,
               CUdeviceptr out, int64_t count) const {
    return rank.ok(
        rank.device.convert({in, out, count, static_cast<int32_t>(type),
                             static_cast<int32_t>(what)},
                            issue.stream),
        "a conversion of a collective");
  }
};

static const void *host(CUdeviceptr p) {
  return reinterpret_cast<const void *>(p);
}
static void *hostOut(CUdeviceptr p) { return reinterpret_cast<void *>(p); }

size_t NcclTransport::workspaceBytes(const rt::CollectiveCall &call, int64_t p,
                                     int64_t position) const {
  WorkspaceUse w;
  w.take(256); // for a barrier
  for (size_t b = 0; b < call.buffers.size(); ++b) {
    const auto &buffer = call.buffers[b];
    int64_t width = std::max<int64_t>(1, rt::byteSize(buffer.type));
    switch (call.kind) {
    case Kind::AllGather:
      if (!isDense(call, p))
        w.take(p * buffer.inBytes);
      break;
    case Kind::AllReduce: {
      Reducing how = reducingOf(buffer.type, call.reduction);
      if (how.way == Way::Widen)
        w.take(buffer.inBytes / width * how.wideBytes);
      if (how.way == Way::Gather)
        w.take(p * buffer.inBytes);
      break;
    }
    case Kind::ReduceScatter: {
      Reducing how = reducingOf(buffer.type, call.reduction);
      if (how.way == Way::Gather) {
        exchangeOf(call, p, position, b, /*packAll=*/true, w);
        break;
      }
      if (!isDense(call, p))
        w.take(p * buffer.outBytes);
      if (how.way == Way::Widen) {
        w.take(p * buffer.outBytes / width * how.wideBytes);
        w.take(buffer.outBytes / width * how.wideBytes);
      }
      break;
    }
    case Kind::RaggedAllToAll:
      if (b >= 2 && b <= 4)
        w.take(p * buffer.inBytes);
      break;
    case Kind::Broadcast:
    case Kind::Barrier:
      break;
    default:
      exchangeOf(call, p, position, b, /*packAll=*/false, w);
    }
  }
  return static_cast<size_t>(w.size);
}

bool NcclTransport::issue(cuda::Rank &rank, const cuda::Issue &issue) {
  const program::Group &g = run.groups[issue.group];
  if (g.groupSize == 1)
    return true;
  ncclComm_t comm = memberOf(rank).groups[issue.group];
  Work work{rank, issue, comm, g.groupSize, {}, {}, {}};
  work.workspace.take(256);
  const rt::CollectiveCall &call = issue.call;
  auto stream = issue.stream;
  for (size_t b = 0; b < call.buffers.size(); ++b) {
    const auto &buffer = call.buffers[b];
    if (buffer.inBytes == 0 && buffer.outBytes == 0)
      continue;
    bool good = true;
    switch (call.kind) {
    case Kind::AllReduce:
    case Kind::ReduceScatter:
      good = reduce(work, b);
      break;
    case Kind::AllGather:
      good = gather(work, b);
      break;
    case Kind::Broadcast:
      work.calls.push_back([&, b] {
        return nccl.broadcast(host(issue.in[b]), hostOut(issue.out[b]),
                              static_cast<size_t>(buffer.inBytes), ncclUint8,
                              static_cast<int>(call.params[0]), comm, stream);
      });
      break;
    case Kind::RaggedAllToAll:
      if (b == 0)
        return ragged(work);
      break;
    case Kind::Barrier:
      break;
    default:
      good = move(work, b);
    }
    if (!good)
      return false;
  }
  if (call.kind == Kind::Barrier)
    work.calls.push_back([&] {
      return nccl.allReduce(host(issue.workspace), hostOut(issue.workspace), 1,
                            ncclInt32, ncclSum, comm, stream);
    });
  return flush(work);
}

/// Makes the calls collected so far, as one group, and what follows them.
bool NcclTransport::flush(Work &work) {
  if (!work.calls.empty()) {
    ncclResult_t result = nccl.groupStart();
    for (auto &call : work.calls)
      if (result == ncclSuccess || result == ncclInProgress)
        result = call();
    ncclResult_t end = nccl.groupEnd();
    if (result == ncclSuccess || result == ncclInProgress)
      result = end;
    if (!settle(work.rank, work.comm, result, "a collective"))
      return false;
  }
  for (auto &step : work.after)
    if (!step())
      return false;
  work.calls.clear();
  work.after.clear();
  return true;
}

bool NcclTransport::gather(Work &w, size_t b) {
  const cuda::Issue &issue = w.issue;
  size_t bytes = static_cast<size_t>(issue.call.buffers[b].inBytes);
  bool dense = isDense(issue.call, w.p);
  CUdeviceptr target =
      dense ? issue.out[b]
            : w.at(w.workspace.take(w.p * static_cast<int64_t>(bytes)));
  w.calls.push_back([this, &w, &issue, b, bytes, target] {
    return nccl.allGather(host(issue.in[b]), hostOut(target), bytes, ncclUint8,
                          w.comm, issue.stream);
  });
  if (!dense)
    w.after.push_back([&w, &issue, b, bytes, target] {
      std::vector<DeviceCopy> copies;
      for (const rt::Move &m :
           rt::movesTo(issue.call, w.p, issue.position, b).moves)
        copies.push_back(cuda::deviceCopy(
            m, target + static_cast<CUdeviceptr>(m.from) * bytes,
            issue.out[b]));
      return w.copy(copies);
    });
  return true;
}

bool NcclTransport::reduce(Work &w, size_t b) {
  const cuda::Issue &issue = w.issue;
  const rt::CollectiveCall &call = issue.call;
  const auto &buffer = call.buffers[b];
  int64_t width = rt::byteSize(buffer.type);
  if (width == 0)
    return true;
  Reducing how = reducingOf(buffer.type, call.reduction);
  bool scatter = call.kind == Kind::ReduceScatter;
  CUdeviceptr in = issue.in[b], out = issue.out[b];
  int64_t inBytes = buffer.inBytes, outBytes = buffer.outBytes;

  cuda::FoldParams fold = {};
  fold.type = static_cast<int32_t>(buffer.type);
  fold.reduction = static_cast<int32_t>(call.reduction);
  if (how.way == Way::Gather && !scatter) {
    CUdeviceptr all = w.at(w.workspace.take(w.p * inBytes));
    w.calls.push_back([this, &w, &issue, in, all, inBytes] {
      return nccl.allGather(host(in), hostOut(all),
                            static_cast<size_t>(inBytes), ncclUint8, w.comm,
                            issue.stream);
    });
    fold.count = inBytes / width;
    fold.rows = 1;
    w.after.push_back([&w, &issue, fold, all, inBytes, out] {
      std::vector<CUdeviceptr> from;
      for (int64_t m = 0; m < w.p; ++m)
        from.push_back(all + static_cast<CUdeviceptr>(m * inBytes));
      return w.rank.ok(w.rank.device.fold(fold, from, {&out, 1}, issue.stream),
                       "a reduction");
    });
    return true;
  }
  if (how.way == Way::Gather) {
    Exchange x =
        exchangeOf(call, w.p, issue.position, b, /*packAll=*/true, w.workspace);
    if (!send(w, x, in))
      return false;
    receive(w, x, /*target=*/0);
    if (x.own.empty()) // this rank's part is padding
      return true;
    // The own piece in the form of the others: dense.
    const rt::Move &own = x.own[0];
    DeviceCopy c = cuda::deviceCopy(own, in, w.at(x.ownPacked));
    c.targetPitch = own.bytes;
    if (!w.copy({&c, 1}))
      return false;
    fold.count = own.bytes / width;
    fold.rows = own.rows;
    fold.inPitch = own.bytes;
    fold.outPitch = own.target.pitch;
    w.after.push_back([&w, &issue, fold, x, out] {
      std::vector<CUdeviceptr> from;
      size_t next = 0;
      for (int64_t m = 0; m < w.p; ++m)
        from.push_back(w.at(m == issue.position ? x.ownPacked
                                                : x.receives[next++].packed));
      if (from.size() > cuda::FoldParams::most && fold.rows > 1)
        return w.rank.fail("this reduction is not there for groups of more "
                           "than " +
                           std::to_string(cuda::FoldParams::most));
      return w.rank.ok(w.rank.device.fold(fold, from, {&out, 1}, issue.stream),
                       "a reduction");
    });
    return true;
  }

  int64_t total = scatter ? w.p * outBytes : inBytes;
  if (scatter && !isDense(call, w.p)) {
    // Part after part, each whole; what is past the end stays undefined.
    CUdeviceptr packed = w.at(w.workspace.take(total));
    std::vector<DeviceCopy> copies;
    for (int64_t to = 0; to < w.p; ++to)
      for (const rt::Move &m : rt::movesTo(call, w.p, to, b).moves)
        if (m.from == issue.position)
          copies.push_back(cuda::deviceCopy(
              m, in, packed + static_cast<CUdeviceptr>(to * outBytes)));
    if (!w.copy(copies))
      return false;
    in = packed;
  }
  int64_t wideOut = outBytes / width * how.wideBytes;
  if (how.way == Way::Widen) {
    CUdeviceptr wide = w.at(w.workspace.take(total / width * how.wideBytes));
    if (!w.convert(buffer.type, how.to, in, wide, total / width))
      return false;
    in = wide;
    CUdeviceptr wideResult = scatter ? w.at(w.workspace.take(wideOut)) : wide;
    w.after.push_back([&w, how, buffer, wideResult, out, outBytes, width] {
      return w.convert(buffer.type, how.from, wideResult, out,
                       outBytes / width);
    });
    out = wideResult;
  }
  size_t count = static_cast<size_t>(outBytes / width * how.perElement);
  w.calls.push_back([this, &w, &issue, how, in, out, count, scatter] {
    return scatter ? nccl.reduceScatter(host(in), hostOut(out), count, how.type,
                                        how.op, w.comm, issue.stream)
                   : nccl.allReduce(host(in), hostOut(out), count, how.type,
                                    how.op, w.comm, issue.stream);
  });
  return true;
}

/// Packs what is sent and makes the calls for it.
bool NcclTransport::send(Work &w, const Exchange &x, CUdeviceptr in) {
  std::vector<DeviceCopy> copies;
  for (const Piece &piece : x.sends) {
    CUdeviceptr from =
        in + static_cast<CUdeviceptr>(piece.moves.front().source.offset);
    if (piece.packed >= 0) {
      from = w.at(piece.packed);
      CUdeviceptr to = from;
      for (const rt::Move &m : piece.moves) {
        DeviceCopy c = cuda::deviceCopy(m, in, 0);
        c.target = to;
        c.targetPitch = m.bytes;
        c.targetPlane = m.bytes * m.rows;
        copies.push_back(c);
        to += static_cast<CUdeviceptr>(m.total());
      }
    }
    w.calls.push_back([this, &w, from, bytes = piece.bytes, peer = piece.peer] {
      return nccl.send(host(from), static_cast<size_t>(bytes), ncclUint8,
                       static_cast<int>(peer), w.comm, w.issue.stream);
    });
  }
  return w.copy(copies);
}

/// Makes the calls for what is received, and unpacks it into `target` (0: it
/// stays where it is).
void NcclTransport::receive(Work &w, const Exchange &x, CUdeviceptr target) {
  std::vector<DeviceCopy> copies;
  for (const Piece &piece : x.receives) {
    CUdeviceptr to =
        target + static_cast<CUdeviceptr>(piece.moves.front().target.offset);
    if (piece.packed >= 0) {
      to = w.at(piece.packed);
      CUdeviceptr from = to;
      for (const rt::Move &m : piece.moves) {
        DeviceCopy c = cuda::deviceCopy(m, 0, target);
        c.source = from;
        c.sourcePitch = m.bytes;
        c.sourcePlane = m.bytes * m.rows;
        copies.push_back(c);
        from += static_cast<CUdeviceptr>(m.total());
      }
    }
    w.calls.push_back([this, &w, to, bytes = piece.bytes, peer = piece.peer] {
      return nccl.recv(hostOut(to), static_cast<size_t>(bytes), ncclUint8,
                       static_cast<int>(peer), w.comm, w.issue.stream);
    });
  }
  if (target)
    w.after.push_back([&w, copies] { return w.copy(copies); });
}

/// Kinds that only move bytes: messages between all pairs that have some.
bool NcclTransport::move(Work &w, size_t b) {
  const cuda::Issue &issue = w.issue;
  Exchange x = exchangeOf(issue.call, w.p, issue.position, b,
                          /*packAll=*/false, w.workspace);
  if (!issue.out[b])
    x.own.clear(), x.fills.clear(), x.receives.clear();
  std::vector<DeviceCopy> copies;
  for (const rt::Move &m : x.own)
    copies.push_back(cuda::deviceCopy(m, issue.in[b], issue.out[b]));
  if (!w.copy(copies) ||
      !w.rank.ok(cuda::fillRows(w.rank.device, issue, x.fills, b), "a fill") ||
      !send(w, x, issue.in[b]))
    return false;
  receive(w, x, issue.out[b]);
  return true;
}

/// Offsets and sizes are data: all members get those of all, and read them.
bool NcclTransport::ragged(Work &w) {
  const cuda::Issue &issue = w.issue;
  const rt::CollectiveCall &call = issue.call;
  int64_t rowBytes = call.params[0];
  DeviceCopy old{issue.in[1], issue.out[0], call.buffers[1].inBytes};
  if (issue.out[0] && !w.copy({&old, 1}))
    return false;
  CUdeviceptr gathered[5] = {};
  for (size_t h : {2, 3, 4}) {
    size_t bytes = static_cast<size_t>(call.buffers[h].inBytes);
    gathered[h] = w.at(w.workspace.take(w.p * static_cast<int64_t>(bytes)));
    w.calls.push_back([this, &w, &issue, h, bytes, to = gathered[h]] {
      return nccl.allGather(host(issue.in[h]), hostOut(to), bytes, ncclUint8,
                            w.comm, issue.stream);
    });
  }
  if (!flush(w))
    return false;
  std::vector<std::byte> data[5];
  for (size_t h : {2, 3, 4}) {
    data[h].resize(static_cast<size_t>(w.p * call.buffers[h].inBytes));
    if (!w.rank.download(data[h].data(), gathered[h], data[h].size(),
                         issue.stream))
      return false;
  }
  auto pieceOf = [&](int64_t from, int64_t to) {
    const std::byte *headers[6] = {};
    for (size_t h : {2, 3, 4})
      headers[h] = data[h].data() + from * call.buffers[h].inBytes;
    return rt::raggedPiece(call, headers, to);
  };
  for (int64_t m = 0; m < w.p; ++m) {
    rt::RaggedPiece out = pieceOf(issue.position, m);
    CUdeviceptr source =
        issue.in[0] + static_cast<CUdeviceptr>(out.source * rowBytes);
    if (m == issue.position) {
      DeviceCopy own{source,
                     issue.out[0] +
                         static_cast<CUdeviceptr>(out.target * rowBytes),
                     out.count * rowBytes};
      if (!w.copy({&own, 1}))
        return false;
      continue;
    }
    if (out.count > 0)
      w.calls.push_back([this, &w, source, m, bytes = out.count * rowBytes] {
        return nccl.send(host(source), static_cast<size_t>(bytes), ncclUint8,
                         static_cast<int>(m), w.comm, w.issue.stream);
      });
    rt::RaggedPiece in = pieceOf(m, issue.position);
    CUdeviceptr target =
        issue.out[0] + static_cast<CUdeviceptr>(in.target * rowBytes);
    if (in.count > 0)
      w.calls.push_back([this, &w, target, m, bytes = in.count * rowBytes] {
        return nccl.recv(hostOut(target), static_cast<size_t>(bytes), ncclUint8,
                         static_cast<int>(m), w.comm, w.issue.stream);
      });
  }
  return flush(w);
}

} // namespace shoal::nccl
