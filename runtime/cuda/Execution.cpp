// Setting up: devices, code, memory, ranks, and the transport between them.
#include "cuda/Execution.h"

#include "cuda/LocalTransport.h"
#include "nccl/NcclTransport.h"

#include "shoal/Support/Bytes.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace shoal::cuda {

using program::Section;
using rt::Status;

Execution::Execution(const rt::Package &package, const rt::RunOptions &options,
                     const rt::CudaOptions &cuda)
    : package(package), program(package.program()), options(options),
      cuda(cuda), groups(program.section<program::Group>(Section::Groups)),
      started(std::chrono::steady_clock::now()) {}

Execution::~Execution() {
  bool isMapped = !mappedArenas.empty();
  transport.reset(); // multicast objects before what they bind
  mappedArenas.clear();
  for (size_t d = 0; d < arenas.size(); ++d)
    if (arenas[d].base && !isMapped) {
      devices[d]->makeCurrent();
      driver->memFree(arenas[d].base);
    }
}

int Execution::homeOf(int64_t rank) const {
  if (!options.world)
    return 0;
  return static_cast<int>(rank * options.world->size() /
                          static_cast<int64_t>(program.header().numRanks));
}

double Execution::now() const {
  std::chrono::duration<double> time =
      std::chrono::steady_clock::now() - started;
  return time.count();
}

Rank *Execution::findRank(int64_t number) const {
  for (auto &r : ranks)
    if (r->number == number)
      return r.get();
  return nullptr;
}

/// Number of this process among those of its machine, as the launcher says.
static int localProcess() {
  for (const char *name : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID",
                           "LOCAL_RANK", "SLURM_LOCALID"})
    if (const char *value = std::getenv(name); value && *value)
      return std::atoi(value);
  return 0;
}

Status Execution::openDevices() {
  rt::Result<const Driver *> opened = Driver::open();
  if (!opened)
    return opened.status();
  driver = *opened;
  int64_t numRanks = static_cast<int64_t>(program.header().numRanks);
  if (options.world && options.world->size() > numRanks)
    return Status::badInput("the model has " + std::to_string(numRanks) +
                            (numRanks == 1 ? " rank" : " ranks") +
                            ", but was started as " +
                            std::to_string(options.world->size()) +
                            " processes; start at most one for each rank");
  int count = 0;
  if (CUresult r = driver->deviceGetCount(&count))
    return Status::badInput("--target=cuda: the GPUs cannot be counted: " +
                            driver->describe(r));
  std::vector<int64_t> here;
  for (int64_t r = 0; r < numRanks; ++r)
    if (isHere(r))
      here.push_back(r);
  // In order of the mesh's device ids, if it has some.
  auto ids = program.section<int64_t>(Section::DeviceIds);
  if (!ids.empty())
    std::sort(here.begin(), here.end(), [&](int64_t a, int64_t b) {
      return std::pair(ids[a], a) < std::pair(ids[b], b);
    });
  int64_t perDevice = std::max<int64_t>(1, cuda.ranksPerDevice);
  int64_t need =
      (static_cast<int64_t>(here.size()) + perDevice - 1) / perDevice;
  if (perDevice > 1 && options.world)
    return Status::badInput("--ranks-per-device above 1 needs all ranks in one "
                            "process; start one process");
  if (need > count) {
    int64_t fit = (static_cast<int64_t>(here.size()) + count - 1) /
                  std::max<int64_t>(1, count);
    return Status::badInput(
        "the model needs " + std::to_string(need) + " GPUs" +
        (options.world ? " in this process" : "") + " (" +
        std::to_string(here.size()) + " ranks), but there " +
        (count == 1 ? "is 1" : "are " + std::to_string(count)) +
        "; put several ranks on one GPU with --ranks-per-device=" +
        std::to_string(fit));
  }
  // Several processes of one machine take different GPUs, unless their launcher
  // shows each its own.
  int64_t first = options.world ? localProcess() * need : 0;
  if (first + need > count)
    first = 0;
  for (int64_t d = 0; d < need; ++d) {
    auto device = Device::open(*driver, static_cast<int>(first + d));
    if (!device)
      return device.status();
    devices.push_back(std::move(*device));
    if (Status s = devices.back()->load(package); !s)
      return s;
  }
  arenas.resize(devices.size());
  for (size_t i = 0; i < here.size(); ++i)
    ranks.push_back(std::make_unique<Rank>(
        *this, here[i], *devices[i / static_cast<size_t>(perDevice)]));
  std::sort(ranks.begin(), ranks.end(),
            [](auto &a, auto &b) { return a->number < b->number; });
  return Status::ok();
}

Status Execution::makeTransport(bool sharedDevices) {
  bool communicates = false;
  for (const program::Group &g : groups)
    communicates |= g.groupSize > 1;
  auto local = [&] { transport = std::make_unique<LocalTransport>(*this); };
  if (!communicates || program.header().numRanks == 1) {
    local();
    return Status::ok();
  }
  Status noNccl;
  if (!sharedDevices && (options.world || !LocalTransport::isWanted())) {
    auto opened = nccl::Nccl::open();
    if (opened) {
      transport = std::make_unique<nccl::NcclTransport>(*this, **opened);
      return Status::ok();
    }
    noNccl = opened.status();
    if (options.world)
      return noNccl;
  }
  // Copies between GPUs reach each other's memory.
  for (auto &a : devices)
    for (auto &b : devices) {
      if (a == b)
        continue;
      int can = 0;
      driver->deviceCanAccessPeer(&can, a->handle, b->handle);
      if (!can)
        return noNccl.isOk()
                   ? Status::badInput(
                         a->describe() + " cannot reach the memory of " +
                         b->describe() +
                         ", which ranks that share GPUs need; put all ranks on "
                         "one GPU, or give each its own")
                   : noNccl;
      a->makeCurrent();
      CUresult r = driver->ctxEnablePeerAccess(b->context, 0);
      if (r != CUDA_SUCCESS && r != CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED)
        return Status::badInput(a->describe() + " cannot reach the memory of " +
                                b->describe() + ": " + driver->describe(r));
    }
  if (!noNccl.isOk())
    std::fprintf(stderr,
                 "shoal-run: warning: without NCCL, collectives are copies "
                 "between the GPUs: %s\n",
                 noNccl.message().c_str());
  local();
  return Status::ok();
}

Status Execution::allocate() {
  for (auto &rank : ranks)
    for (size_t d = 0; d < devices.size(); ++d)
      if (devices[d].get() == &rank->device)
        rank->layOut(arenas[d]);
  // Arenas of one size, each rank's memory at the same place: for multicast.
  if (transport->wantsMulticast() && devices.size() == ranks.size() &&
      supportsMulticast(devices)) {
    size_t largest = 0;
    for (const DeviceArena &arena : arenas)
      largest = std::max(largest, arena.size);
    for (size_t d = 0; d < devices.size(); ++d) {
      devices[d]->makeCurrent();
      auto memory = MappedMemory::allocate(*devices[d], devices, largest);
      if (!memory) {
        mappedArenas.clear();
        break;
      }
      arenas[d].base = memory->base;
      mappedArenas.push_back(std::move(memory));
    }
  }
  for (size_t d = 0; d < devices.size(); ++d) {
    Device &device = *devices[d];
    device.makeCurrent();
    if (!mappedArenas.empty()) {
      for (auto &rank : ranks)
        if (&rank->device == &device)
          rank->place(arenas[d].base);
      continue;
    }
    arenas[d].base = 0;
    size_t free = 0, total = 0;
    driver->memGetInfo(&free, &total);
    int64_t sharing = 0;
    for (auto &rank : ranks)
      sharing += &rank->device == &device;
    CUresult r = arenas[d].size > free
                     ? CUDA_ERROR_OUT_OF_MEMORY
                     : driver->memAlloc(&arenas[d].base, arenas[d].size);
    if (r == CUDA_ERROR_OUT_OF_MEMORY)
      return Status::badInput(
          "the run needs " + bytesText(static_cast<double>(arenas[d].size)) +
          " of memory on " + device.describe() + " (" +
          std::to_string(sharing) + (sharing == 1 ? " rank" : " ranks") +
          ", temporaries " +
          bytesText(static_cast<double>(program.header().arenaBytes)) +
          " each), of whose " + bytesText(static_cast<double>(total)) + " " +
          bytesText(static_cast<double>(free)) +
          " are free; use a larger mesh, smaller shapes, or fewer ranks per "
          "GPU");
    if (r != CUDA_SUCCESS)
      return Status::badInput(device.describe() +
                              " gives no memory: " + driver->describe(r));
    for (auto &rank : ranks)
      if (&rank->device == &device)
        rank->place(arenas[d].base);
  }
  return Status::ok();
}

Status Execution::prepare(std::vector<rt::HostTensor> given) {
  arguments = std::move(given);
  auto calls = rt::loadCustomCalls(program, options.customCallLibraries);
  if (!calls)
    return calls.status();
  customCalls = std::move(*calls);
  if (Status s = openDevices(); !s)
    return s;
  if (Status s = makeTransport(devices.size() < ranks.size()); !s)
    return s;
  if (Status s = allocate(); !s)
    return s;
  size_t numChecks = program.section<program::Check>(Section::Checks).size();
  checkTurns.assign(program.header().numRanks,
                    std::vector<uint64_t>(numChecks));
  reported.assign(numChecks, false);
  for (auto &rank : ranks)
    threads.emplace_back([this, r = rank.get()] { threadMain(*r); });
  // Communicators are made by all ranks together, uploads by each alone.
  return everyRank([](Rank &r) { return r.prepare() && r.join(); });
}

bool Execution::canCapture() const {
  if (!cuda.graphs || options.profile || options.fault || cuda.blocking ||
      !transport->canCapture())
    return false;
  // Libraries may wait for the device, which a capture does not allow.
  for (const auto &rank : ranks)
    if (rank->usesLibraries())
      return false;
  for (const auto &i :
       program.section<program::Instruction>(Section::Instructions))
    switch (i.opcode) {
    case program::Opcode::SRead:
    case program::Opcode::CustomCall:
    case program::Opcode::Check:
    case program::Opcode::Fail:
      return false;
    case program::Opcode::Collective:
    case program::Opcode::CollectiveStart: {
      auto ops = program.operands(i);
      if (ops[i.opcode == program::Opcode::CollectiveStart] ==
          static_cast<int64_t>(program::CollectiveKind::RaggedAllToAll))
        return false;
      break;
    }
    default:
      break;
    }
  return true;
}

Status Execution::step(bool graph,
                       std::chrono::steady_clock::time_point &begun) {
  for (const auto &a : program.section<program::Argument>(Section::Arguments))
    if (a.donated) {
      if (Status s = everyRank([](Rank &r) { return r.uploadArguments(true); });
          !s)
        return s;
      break;
    }
  if (graph && canCapture())
    if (Status s = everyRank([](Rank &r) { return r.capture(); }); !s)
      return s;
  begun = std::chrono::steady_clock::now();
  return everyRank([](Rank &r) { return r.step(); });
}

rt::Result<std::vector<rt::HostTensor>> Execution::takeResults() {
  if (Status s = everyRank([](Rank &r) { return r.downloadResults(); }); !s)
    return s;
  constexpr uint64_t topic = uint64_t{301} << 32;
  rt::World *world = options.world;
  bool isMain = process() == 0;
  std::vector<rt::HostTensor> results;
  auto records = program.section<program::Result>(Section::Results);
  for (size_t index = 0; index < records.size(); ++index) {
    const program::Result &r = records[index];
    rt::HostTensor t;
    t.type = program.type(r.globalType).dtype;
    auto shape = program.shape(r.globalType);
    t.shape.assign(shape.begin(), shape.end());
    int64_t bytes = rt::numBytes(t.type, t.shape);
    if (isMain)
      t.buffer =
          rt::AlignedBuffer(static_cast<size_t>(std::max<int64_t>(bytes, 0)));
    if (bytes < 0 || (isMain && !t.buffer.isValid()))
      return Status::badInput("not enough memory for the results");
    size_t blockBytes = program.slots()[r.slot].bytes;
    for (int64_t n = 0; n < static_cast<int64_t>(program.header().numRanks);
         ++n) {
      rt::Block b =
          rt::blockOf(program, r.sharding, r.globalType, r.localType, n);
      if (!b.first)
        continue;
      rt::World::Key key{topic, index, static_cast<uint64_t>(n), 0};
      Rank *rank = findRank(n);
      if (!isMain) {
        if (rank)
          world->post(0, key, {rank->results[index].data(), blockBytes});
        continue;
      }
      std::optional<std::vector<std::byte>> received;
      if (!rank) {
        received = world->take(homeOf(n), key);
        if (!received || received->size() != blockBytes)
          return Status::fault("the results of rank " + std::to_string(n) +
                               " did not arrive");
      }
      rt::placeBlock(b, rank ? rank->results[index].data() : received->data(),
                     t.data(), rt::byteSize(t.type));
    }
    if (isMain)
      results.push_back(std::move(t));
  }
  return results;
}

double Execution::sumOverProcesses(double here) {
  rt::World *world = options.world;
  if (!world)
    return here;
  rt::World::Key key{uint64_t{302} << 32, figures++, 0, 0};
  if (process() != 0) {
    world->post(0, key, std::as_bytes(std::span(&here, 1)));
    return here;
  }
  for (int i = 1; i < world->size(); ++i)
    if (auto data = world->take(i, key);
        data && data->size() == sizeof(double)) {
      double theirs;
      std::memcpy(&theirs, data->data(), sizeof(double));
      here += theirs;
    }
  return here;
}

} // namespace shoal::cuda
