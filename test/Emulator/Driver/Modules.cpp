// Modules, functions, launches. An image is an emulated one (an ELF shared
// object for this machine) or the runtime's own kernels, whose host versions
// are linked in.
#include "State.h"

#include "cuda/kernels/Kernels.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace shoal::standin;

extern "C" void *shoal_rt_host_kernel(const char *name);
extern "C" CUresult cuDeviceGetAttribute(int *value, int attribute,
                                         CUdevice device);

/// Emulated kernels find the emulator, which is in this library, by name, and
/// the library itself may have been opened for its opener alone.
static void exposeEmulator() {
  static std::once_flag once;
  std::call_once(once, [] {
    Dl_info here;
    if (dladdr(reinterpret_cast<void *>(&shoal_emu_run), &here))
      dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
  });
}

/// The bytes of an ELF file: up to the end of its section headers.
static size_t elfSize(const void *image) {
  auto *header = static_cast<const Elf64_Ehdr *>(image);
  return header->e_shoff + size_t(header->e_shnum) * header->e_shentsize;
}

static void *openImage(const void *image) {
  exposeEmulator();
  int file = memfd_create("shoal-kernels", 0);
  size_t size = elfSize(image);
  if (file < 0 || write(file, image, size) != ssize_t(size)) {
    std::perror("stand-in driver: memfd");
    return nullptr;
  }
  // dlopen goes by the name, and descriptors are used again: every image gets
  // another spelling of its path.
  static std::atomic<unsigned> count{0};
  std::string path = "/proc/self/fd";
  for (unsigned rest = ++count; rest; rest /= 2)
    path += rest % 2 ? "/." : "//";
  path += "/" + std::to_string(file);
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    std::fprintf(stderr, "stand-in driver: %s\n", dlerror());
  close(file);
  return library;
}

static void report(unsigned count, const int *options, void **values,
                   const char *text) {
  char *log = nullptr;
  size_t size = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
      log = static_cast<char *>(values[i]);
    else if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
      size = reinterpret_cast<size_t>(values[i]);
  }
  if (log && size)
    std::snprintf(log, size, "%s", text);
}

static std::mutex launchLock;
static std::map<std::string, uint64_t> &launchesByName() {
  static auto *all = new std::map<std::string, uint64_t>;
  return *all;
}
/// How often kernels of this name have run, on all devices.
extern "C" uint64_t shoal_standin_launches(const char *name) {
  std::lock_guard guard(launchLock);
  return launchesByName()[name];
}

//===--- What a launch touches --------------------------------------------===//

static size_t structBytes(const std::string &name) {
  if (name == "shoal_rt_copy")
    return sizeof(CopyParams);
  if (name == "shoal_rt_fill")
    return sizeof(FillParams);
  if (name == "shoal_rt_fold")
    return sizeof(FoldParams);
  if (name == "shoal_rt_symmetric")
    return sizeof(SymmetricParams);
  if (name.starts_with("shoal_rt_multimem_"))
    return sizeof(MultimemParams);
  if (name == "shoal_rt_scale")
    return sizeof(ScaleParams);
  if (name == "shoal_rt_triangle")
    return sizeof(TriangleParams);
  return sizeof(ConvertParams);
}

static void add(std::vector<Access> &accesses, uint64_t address, int64_t bytes,
                bool write) {
  if (bytes > 0)
    accesses.push_back({address, address + bytes, write});
}

/// Of the runtime's own kernels; rows apart from each other are not told, as
/// what lies between them may belong to others.
static void addStructAccesses(const std::string &name, const void *bytes,
                              std::vector<Access> &accesses) {
  if (name == "shoal_rt_copy") {
    auto &p = *static_cast<const CopyParams *>(bytes);
    for (int64_t i = 0; i < p.count; ++i)
      if (p.copies[i].rows * p.copies[i].planes == 1) {
        add(accesses, p.copies[i].source, p.copies[i].bytes, false);
        add(accesses, p.copies[i].target, p.copies[i].bytes, true);
      }
  } else if (name == "shoal_rt_fill") {
    auto &p = *static_cast<const FillParams *>(bytes);
    if (p.rows == 1)
      add(accesses, p.target, p.bytes, true);
  } else if (name == "shoal_rt_scale") {
    auto &p = *static_cast<const ScaleParams *>(bytes);
    add(accesses, p.data, p.count * (p.isDouble ? 8 : 4), true);
  } else if (name == "shoal_rt_triangle") {
    auto &p = *static_cast<const TriangleParams *>(bytes);
    add(accesses, p.matrices,
        p.batch * p.n * p.n * (p.isDouble ? 8 : 4) * (p.isComplex ? 2 : 1),
        true);
    add(accesses, p.info, p.batch * 4, false);
  }
}

/// Arguments of an emulated kernel, checked.
static CUresult addAccesses(const Function &function, Device *device,
                            const std::vector<char> &values,
                            std::vector<Access> &accesses) {
  size_t at = 0;
  for (const ShoalEmuParam *p = function.params; p->bytes;
       at += p->bytes, ++p) {
    if (!(p->flags & 1))
      continue;
    uintptr_t address;
    std::memcpy(&address, values.data() + at, sizeof address);
    std::string what =
        function.name + ", argument " + std::to_string(p - function.params);
    if (!address && !p->bufferBytes)
      continue;
    if (CUresult error = checkDeviceMemory(
            device, address, p->bufferBytes ? p->bufferBytes : 1, what.c_str()))
      return error;
    add(accesses, address, p->bufferBytes, !(p->flags & 2));
  }
  return CUDA_SUCCESS;
}

static CUresult checkShape(const CUlaunchConfig &c, const Function &function) {
  unsigned long long threads = 1ull * c.blockDimX * c.blockDimY * c.blockDimZ;
  if (!c.gridDimX || !c.gridDimY || !c.gridDimZ || c.gridDimX > 0x7fffffff ||
      c.gridDimY > 65535 || c.gridDimZ > 65535 || !threads || threads > 1024)
    return violation(
        "%s is launched with a grid of %u x %u x %u blocks of %llu "
        "threads",
        function.name.c_str(), c.gridDimX, c.gridDimY, c.gridDimZ, threads);
  if (int(c.sharedMemBytes) > function.maxShared)
    return violation("%s is launched with %u bytes of shared memory, and may "
                     "have %d",
                     function.name.c_str(), c.sharedMemBytes,
                     function.maxShared);
  return CUDA_SUCCESS;
}

static CUresult runKernel(const Function *function, ShoalEmuLaunch launch,
                          const std::vector<char> &values) {
  if (!function->params) {
    void *params[] = {const_cast<char *>(values.data())};
    reinterpret_cast<void (*)(void **, const void *)>(function->entry)(params,
                                                                       nullptr);
    return CUDA_SUCCESS;
  }
  std::vector<void *> params;
  size_t at = 0;
  for (const ShoalEmuParam *p = function->params; p->bytes; ++p) {
    params.push_back(const_cast<char *>(values.data()) + at);
    at += p->bytes;
  }
  params.push_back(nullptr);
  reinterpret_cast<ShoalEmuKernel>(function->entry)(params.data(), &launch);
  return launch.failed ? CUDA_ERROR_LAUNCH_FAILED : CUDA_SUCCESS;
}

static CUresult launch(const CUlaunchConfig &config, Function *function,
                       void **parameters) {
  State &s = state();
  Stream *stream = toStream(config.hStream);
  if (CUresult error = checkStream(stream, function->name.c_str()))
    return error;
  if (function->module->device != stream->device)
    return violation("%s of device %d is launched on device %d",
                     function->name.c_str(), function->module->device->ordinal,
                     stream->device->ordinal);
  if (CUresult error = checkShape(config, *function))
    return error;
  ShoalEmuLaunch shape{};
  unsigned sizes[] = {config.gridDimX,  config.gridDimY,  config.gridDimZ,
                      config.blockDimX, config.blockDimY, config.blockDimZ};
  std::memcpy(shape.grid, sizes, 12);
  std::memcpy(shape.block, sizes + 3, 12);
  for (unsigned &size : shape.cluster)
    size = 1;
  shape.sharedBytes = config.sharedMemBytes;
  shape.kernel = function->name.c_str();
  shape.params = function->params;
  shape.seed = s.seed;

  auto work = std::make_shared<Work>();
  work->what = function->name;
  std::vector<char> values;
  if (function->params) {
    size_t index = 0;
    for (const ShoalEmuParam *p = function->params; p->bytes; ++p, ++index) {
      auto *from = static_cast<const char *>(parameters[index]);
      values.insert(values.end(), from, from + p->bytes);
    }
    if (CUresult error =
            addAccesses(*function, stream->device, values, work->accesses))
      return error;
  } else {
    auto *from = static_cast<const char *>(parameters[0]);
    values.assign(from, from + function->structBytes);
    addStructAccesses(function->name, values.data(), work->accesses);
    for (const Access &access : work->accesses)
      if (CUresult error = checkDeviceMemory(stream->device, access.begin,
                                             access.end - access.begin,
                                             function->name.c_str()))
        return error;
  }
  work->run = [function, shape, values = std::move(values)] {
    State &s = state();
    {
      std::lock_guard guard(launchLock);
      ++launchesByName()[function->name];
    }
    if (s.fault == "lost") {
      std::lock_guard guard(s.lock);
      if (++s.launches == s.faultAt)
        return CUDA_ERROR_DEVICE_LOST;
    }
    return runKernel(function, shape, values);
  };
  return issue(stream, std::move(work));
}

extern "C" {

CUresult cuModuleLoadDataEx(CUmodule *result, const void *image, unsigned count,
                            const int *options, void **values) {
  Device *device = current();
  if (!device)
    return CUDA_ERROR_INVALID_CONTEXT;
  if (device->error)
    return device->error;
  auto *text = static_cast<const char *>(image);
  auto module = std::make_unique<Module>();
  module->device = device;
  if (std::memcmp(text, ELFMAG, SELFMAG) == 0) {
    if (static_cast<const Elf64_Ehdr *>(image)->e_machine != EM_X86_64) {
      report(count, options, values, "this stand-in runs no code of GPUs");
      return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    module->library = openImage(image);
    if (!module->library)
      return CUDA_ERROR_INVALID_IMAGE;
  } else if (std::strncmp(text, kRuntimeKernelsMark,
                          std::strlen(kRuntimeKernelsMark)) != 0) {
    report(count, options, values, "this stand-in does not run PTX");
    return CUDA_ERROR_INVALID_PTX;
  }
  *result = reinterpret_cast<CUmodule>(module.release());
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule handle) {
  auto *module = reinterpret_cast<Module *>(handle);
  if (module->library)
    dlclose(module->library);
  delete module;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *result, CUmodule handle,
                             const char *name) {
  auto *module = reinterpret_cast<Module *>(handle);
  std::lock_guard guard(state().lock);
  std::unique_ptr<Function> &known = module->functions[name];
  if (!known) {
    auto function = std::make_unique<Function>();
    function->module = module;
    function->name = name;
    if (module->library) {
      function->entry = dlsym(module->library, name);
      function->params = static_cast<const ShoalEmuParam *>(
          dlsym(module->library, (std::string(name) + "_params").c_str()));
      if (!function->params)
        return CUDA_ERROR_NOT_FOUND;
    } else {
      function->entry = shoal_rt_host_kernel(name);
      function->params = nullptr;
      function->structBytes = structBytes(name);
    }
    if (!function->entry)
      return CUDA_ERROR_NOT_FOUND;
    known = std::move(function);
  }
  *result = reinterpret_cast<CUfunction>(known.get());
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction handle, int attribute, int value) {
  auto *function = reinterpret_cast<Function *>(handle);
  if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
    int most = 0;
    cuDeviceGetAttribute(&most,
                         CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
                         function->module->device->ordinal);
    if (value > most)
      return CUDA_ERROR_INVALID_VALUE;
    function->maxShared = std::max(function->maxShared, value);
  }
  return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY,
                        unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, CUstream stream,
                        void **parameters, void **extra) {
  if (extra)
    return violation("a launch with packed parameters");
  CUlaunchConfig config{gridX,  gridY,       gridZ,  blockX,  blockY,
                        blockZ, sharedBytes, stream, nullptr, 0};
  return launch(config, reinterpret_cast<Function *>(function), parameters);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function,
                          void **parameters, void **extra) {
  if (extra)
    return violation("a launch with packed parameters");
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttribute &attribute = config->attrs[i];
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION &&
        attribute.value.clusterDim.x * attribute.value.clusterDim.y *
                attribute.value.clusterDim.z !=
            1)
      return violation("clusters of several blocks, which are not emulated");
  }
  return launch(*config, reinterpret_cast<Function *>(function), parameters);
}
}
