#include "cuda/Device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

namespace shoal::cuda {

using program::ImageKind;
using program::Section;
using rt::Result;
using rt::Status;

static const unsigned char runtimeKernels[] = {
#include "RuntimeKernels.ptx.inc"
    0};

static const unsigned char multimemKernelsPtx[] = {
#include "MultimemKernels.ptx.inc"
    0};

Result<std::unique_ptr<Device>> Device::open(const Driver &driver,
                                             int ordinal) {
  std::unique_ptr<Device> device(new Device(driver, ordinal));
  auto failed = [&](CUresult r) {
    return Status::badInput("GPU " + std::to_string(ordinal) +
                            " cannot be used: " + driver.describe(r));
  };
  char name[256] = "";
  if (CUresult r = driver.deviceGet(&device->handle, ordinal))
    return failed(r);
  driver.deviceGetName(name, sizeof(name) - 1, device->handle);
  device->name = name;
  driver.deviceGetAttribute(&device->major,
                            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                            device->handle);
  driver.deviceGetAttribute(&device->minor,
                            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                            device->handle);
  driver.deviceTotalMem(&device->totalBytes, device->handle);
  if (CUresult r = driver.primaryCtxRetain(&device->context, device->handle))
    return failed(r);
  device->makeCurrent();
  return device;
}

Device::~Device() {
  if (!context)
    return;
  makeCurrent();
  for (CUmodule m : modules)
    driver.moduleUnload(m);
  driver.primaryCtxRelease(handle);
}

std::string Device::describe() const {
  return "GPU " + std::to_string(ordinal) + " (" + name + ")";
}

bool runsOn(std::string_view chip, bool isPtx, int major, int minor) {
  if (chip.substr(0, 3) != "sm_")
    return false;
  std::string digits(chip.substr(3));
  char suffix = digits.empty() ? ' ' : digits.back();
  int number = std::atoi(digits.c_str());
  int chipMajor = number / 10, chipMinor = number % 10;
  if (suffix == 'a')
    return chipMajor == major && chipMinor == minor;
  if (suffix == 'f' || !isPtx)
    return chipMajor == major && chipMinor <= minor;
  return number <= major * 10 + minor;
}

uint32_t chooseImage(const program::View &program, uint32_t wanted, int major,
                     int minor) {
  auto images = program.section<program::Image>(Section::Images);
  auto fits = [&](uint32_t i) {
    const program::Image &image = images[i];
    return image.kind == ImageKind::Host ||
           runsOn(program.str(image.chip), image.kind == ImageKind::Ptx, major,
                  minor);
  };
  if (fits(wanted))
    return wanted;
  uint32_t other = images[wanted].fallback;
  return other != program::kNone && fits(other) ? other : program::kNone;
}

Status Device::loadModule(const void *image, const std::string &what,
                          CUmodule &module) {
  char log[4096] = "";
  int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  CUresult r = driver.moduleLoadData(&module, image, 2, options, values);
  if (r == CUDA_SUCCESS) {
    modules.push_back(module);
    return Status::ok();
  }
  std::string hint;
  if (r == CUDA_ERROR_UNSUPPORTED_PTX_VERSION || r == CUDA_ERROR_INVALID_IMAGE)
    hint = "; the driver (CUDA " + std::to_string(driver.version / 1000) + "." +
           std::to_string(driver.version % 1000 / 10) +
           ") is too old for it: install a newer one";
  if (*log)
    hint += std::string("\n") + log;
  return Status::badInput(describe() + " does not accept " + what + ": " +
                          driver.describe(r) + hint);
}

Status Device::load(const rt::Package &package) {
  const program::View &program = package.program();
  makeCurrent();

  std::string own = std::string(kRuntimeKernelsMark) + "\n" +
                    reinterpret_cast<const char *>(runtimeKernels);
  CUmodule module;
  if (Status s = loadModule(own.c_str(), "the runtime's kernels", module); !s)
    return s;
  for (auto [function, symbol] :
       {std::pair(&copyKernel, "shoal_rt_copy"),
        std::pair(&fillKernel, "shoal_rt_fill"),
        std::pair(&foldKernel, "shoal_rt_fold"),
        std::pair(&convertKernel, "shoal_rt_convert"),
        std::pair(&scaleKernel, "shoal_rt_scale"),
        std::pair(&triangleKernel, "shoal_rt_triangle"),
        std::pair(&symmetricKernel, "shoal_rt_symmetric")})
    if (CUresult r = driver.moduleGetFunction(function, module, symbol))
      return Status::badInput(describe() + ": no kernel '" + symbol +
                              "': " + driver.describe(r));

  // PTX 8.1, for chips with multicast memory; an older driver does without.
  own = std::string(kRuntimeKernelsMark) + "\n" +
        reinterpret_cast<const char *>(multimemKernelsPtx);
  if (major >= 9 && driver.version >= 12010 &&
      loadModule(own.c_str(), "the runtime's kernels", module))
    for (auto [function, symbol] :
         {std::pair(&multimemKernels[0], "shoal_rt_multimem_all_reduce"),
          std::pair(&multimemKernels[1], "shoal_rt_multimem_reduce_scatter")})
      if (driver.moduleGetFunction(function, module, symbol))
        *function = nullptr;
  if (!multimemKernels[1])
    multimemKernels[0] = nullptr;

  auto images = program.section<program::Image>(Section::Images);
  auto records = program.section<program::GpuKernel>(Section::GpuKernels);
  std::map<uint32_t, CUmodule> loaded;
  for (size_t k = 0; k < records.size(); ++k) {
    uint32_t index = chooseImage(program, records[k].image, major, minor);
    std::string mine = "sm_" + std::to_string(major * 10 + minor);
    if (index == program::kNone)
      return Status::badInput(
          "'" + package.path() + "' was compiled for " +
          std::string(program.str(images[records[k].image].chip)) + ", but " +
          describe() + " is " + mine + "; compile it with --chip=" + mine +
          (major >= 9 ? "a" : ""));
    auto it = loaded.find(index);
    if (it == loaded.end()) {
      const program::Image &image = images[index];
      const std::byte *bytes = package.images() + image.offset;
      std::string text; // PTX is stored without a terminating NUL
      if (image.kind == ImageKind::Ptx)
        text.assign(reinterpret_cast<const char *>(bytes), image.bytes);
      if (Status s = loadModule(image.kind == ImageKind::Ptx
                                    ? static_cast<const void *>(text.c_str())
                                    : bytes,
                                "the model's code (for " +
                                    std::string(program.str(image.chip)) + ")",
                                module);
          !s)
        return s;
      it = loaded.emplace(index, module).first;
    }
    std::string symbol(program.str(records[k].symbol));
    CUfunction function;
    if (CUresult r =
            driver.moduleGetFunction(&function, it->second, symbol.c_str()))
      return Status::badInput("'" + package.path() + "' has no kernel '" +
                              symbol + "': " + driver.describe(r));
    if (records[k].sharedBytes > 48 * 1024)
      if (CUresult r = driver.funcSetAttribute(
              function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
              static_cast<int>(records[k].sharedBytes)))
        return Status::badInput(describe() + " has no " +
                                std::to_string(records[k].sharedBytes) +
                                " bytes of shared memory for kernel '" +
                                symbol + "': " + driver.describe(r));
    const uint32_t *c = records[k].cluster;
    if (c[0] * c[1] * c[2] > 8)
      if (CUresult r = driver.funcSetAttribute(
              function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1))
        return Status::badInput(describe() +
                                " cannot run the clusters of kernel '" +
                                symbol + "': " + driver.describe(r));
    kernels.push_back(function);
  }
  return Status::ok();
}

CUresult Device::launch(const program::GpuKernel &how, CUfunction function,
                        void **parameters, CUstream stream) const {
  CUlaunchAttribute attributes[2] = {};
  unsigned n = 0;
  if (how.cluster[0] * how.cluster[1] * how.cluster[2] > 1) {
    attributes[n].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attributes[n++].value.clusterDim = {how.cluster[0], how.cluster[1],
                                        how.cluster[2]};
  }
  if (how.flags & program::kCooperative) {
    attributes[n].id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
    attributes[n++].value.cooperative = 1;
  }
  if (n == 0)
    return driver.launchKernel(function, how.grid[0], how.grid[1], how.grid[2],
                               how.block, 1, 1, how.sharedBytes, stream,
                               parameters, nullptr);
  CUlaunchConfig config = {
      how.grid[0], how.grid[1],     how.grid[2], how.block,  1,
      1,           how.sharedBytes, stream,      attributes, n};
  return driver.launchKernelEx(&config, function, parameters, nullptr);
}

CUresult Device::launchOwn(CUfunction function, int64_t work, int64_t items,
                           void *params, CUstream stream) const {
  if (work <= 0 || items <= 0)
    return CUDA_SUCCESS;
  int64_t blocks = std::min<int64_t>((work + kBlockThreads - 1) / kBlockThreads,
                                     kMostBlocks);
  void *parameters[] = {params};
  return driver.launchKernel(function, static_cast<unsigned>(blocks),
                             static_cast<unsigned>(items), 1, kBlockThreads, 1,
                             1, 0, stream, parameters, nullptr);
}

CUresult Device::copy(std::span<const DeviceCopy> copies,
                      CUstream stream) const {
  auto isEmpty = [](const DeviceCopy &c) {
    return c.bytes <= 0 || c.rows <= 0 || c.planes <= 0 || c.source == c.target;
  };
  if (copies.size() == 1 && !isEmpty(copies[0])) {
    const DeviceCopy &c = copies[0];
    bool rowsJoin =
        c.rows == 1 || (c.sourcePitch == c.bytes && c.targetPitch == c.bytes);
    if (rowsJoin && c.planes == 1)
      return driver.memcpyDtoDAsync(
          c.target, c.source, static_cast<size_t>(c.bytes * c.rows), stream);
  }
  CopyParams params;
  params.count = 0;
  int64_t largest = 0;
  auto flush = [&] {
    CUresult r = launchOwn(copyKernel, largest, params.count, &params, stream);
    params.count = 0;
    largest = 0;
    return r;
  };
  for (const DeviceCopy &c : copies) {
    if (isEmpty(c))
      continue;
    Copy3D &to = params.copies[params.count++];
    to = {c.source,      c.target,      c.bytes,       c.rows,        c.planes,
          c.sourcePitch, c.targetPitch, c.sourcePlane, c.targetPlane, 1};
    if (to.rows == 1)
      to.sourcePitch = to.targetPitch = 0;
    if (to.planes == 1)
      to.sourcePlane = to.targetPlane = 0;
    uint64_t all = c.source | c.target | static_cast<uint64_t>(to.bytes) |
                   static_cast<uint64_t>(to.sourcePitch | to.targetPitch |
                                         to.sourcePlane | to.targetPlane);
    while (to.unit < 16 && all % static_cast<uint64_t>(2 * to.unit) == 0)
      to.unit *= 2;
    largest = std::max(largest, to.bytes / to.unit * to.rows * to.planes);
    if (params.count == CopyParams::most)
      if (CUresult r = flush())
        return r;
  }
  return flush();
}

CUresult Device::fill(const FillParams &params, CUstream stream) const {
  if (params.width <= 0 || params.bytes <= 0 || params.rows <= 0)
    return CUDA_SUCCESS;
  size_t bytes = static_cast<size_t>(params.bytes * params.rows);
  bool isDense = params.rows == 1 || params.pitch == params.bytes;
  if (!params.from && isDense && params.bytes % params.width == 0) {
    if (params.width == 1)
      return driver.memsetD8Async(
          params.target, static_cast<unsigned char>(params.low), bytes, stream);
    if (params.width == 2)
      return driver.memsetD16Async(params.target,
                                   static_cast<unsigned short>(params.low),
                                   bytes / 2, stream);
    if (params.width == 4)
      return driver.memsetD32Async(
          params.target, static_cast<unsigned>(params.low), bytes / 4, stream);
  }
  FillParams own = params;
  return launchOwn(fillKernel, static_cast<int64_t>(bytes), 1, &own, stream);
}

CUresult Device::fold(FoldParams params, std::span<const CUdeviceptr> in,
                      std::span<const CUdeviceptr> out, CUstream stream) const {
  int64_t work = params.count * params.rows;
  if (in.empty() || out.empty() || work <= 0)
    return CUDA_SUCCESS;
  // A chain through the first output: each element is read before it is
  // written, by the same thread. Pitches must be one for that.
  std::vector<CUdeviceptr> rest(in.begin(), in.end());
  while (rest.size() > FoldParams::most && params.inPitch == params.outPitch) {
    params.numIn = FoldParams::most;
    params.numOut = 1;
    std::copy_n(rest.begin(), FoldParams::most, params.in);
    params.out[0] = out[0];
    if (CUresult r = launchOwn(foldKernel, work, 1, &params, stream))
      return r;
    rest.erase(rest.begin(), rest.begin() + FoldParams::most - 1);
    rest[0] = out[0];
  }
  if (rest.size() > FoldParams::most)
    return CUDA_ERROR_NOT_FOUND;
  params.numIn = static_cast<int64_t>(rest.size());
  std::copy(rest.begin(), rest.end(), params.in);
  // Outputs beyond the first launch's are copies of it.
  size_t first = std::min<size_t>(out.size(), FoldParams::most);
  params.numOut = static_cast<int64_t>(first);
  std::copy_n(out.begin(), first, params.out);
  if (CUresult r = launchOwn(foldKernel, work, 1, &params, stream))
    return r;
  while (first < out.size()) {
    params.numIn = 1;
    params.in[0] = out[0];
    params.inPitch = params.outPitch;
    size_t n = std::min<size_t>(out.size() - first, FoldParams::most);
    params.numOut = static_cast<int64_t>(n);
    std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(first), n,
                params.out);
    if (CUresult r = launchOwn(foldKernel, work, 1, &params, stream))
      return r;
    first += n;
  }
  return CUDA_SUCCESS;
}

CUresult Device::symmetric(const SymmetricParams &params,
                           CUstream stream) const {
  SymmetricParams own = params;
  void *parameters[] = {&own};
  return driver.launchKernel(symmetricKernel, SymmetricParams::blocks, 1, 1,
                             kBlockThreads, 1, 1, 0, stream, parameters,
                             nullptr);
}

CUresult Device::multimem(const MultimemParams &params, bool scatter,
                          CUstream stream) const {
  MultimemParams own = params;
  void *parameters[] = {&own};
  return driver.launchKernel(multimemKernels[scatter], MultimemParams::blocks,
                             1, 1, kBlockThreads, 1, 1, 0, stream, parameters,
                             nullptr);
}

CUresult Device::convert(const ConvertParams &params, CUstream stream) const {
  ConvertParams own = params;
  return launchOwn(convertKernel, params.count, 1, &own, stream);
}

CUresult Device::scale(const ScaleParams &params, CUstream stream) const {
  ScaleParams own = params;
  return launchOwn(scaleKernel, params.count, 1, &own, stream);
}

CUresult Device::keepTriangle(const TriangleParams &params,
                              CUstream stream) const {
  TriangleParams own = params;
  return launchOwn(triangleKernel, params.batch * params.n * params.n, 1, &own,
                   stream);
}

} // namespace shoal::cuda
