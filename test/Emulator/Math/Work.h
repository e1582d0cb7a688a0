// The stand-in for cuFFT, cuBLAS and cuSOLVER: on host memory, by the CPU
// runtime's transforms and the system's LAPACK, as work of the stand-in
// driver's streams. Mistakes in the sequence of calls are reported as the
// driver's are. With SHOAL_TEST_MATH_LOG=FILE the names of the calls are added
// to the file.
#ifndef SHOAL_TEST_EMULATOR_MATH_WORK_H
#define SHOAL_TEST_EMULATOR_MATH_WORK_H

#include "../Driver/State.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace shoal::standin {

/// Statuses that the libraries share, near enough.
inline constexpr int kMathSuccess = 0, kMathInvalid = 3, kMathFailed = 6;

inline int misuse(const char *what, const char *why) {
  shoal_standin_violation((std::string(what) + ": " + why).c_str());
  return kMathInvalid;
}

/// What a call touches: address, bytes, whether it writes.
struct Touched {
  const void *address;
  size_t bytes;
  bool write;
};

/// Puts work on a stream after checking what it touches. Work areas are filled
/// with garbage before it runs: nothing may be kept there.
inline int submit(const char *what, void *stream,
                  std::initializer_list<Touched> touched, void *workArea,
                  size_t workBytes, std::function<void()> run) {
  if (!stream)
    return misuse(what, "the handle has no stream");
  if (const char *log = std::getenv("SHOAL_TEST_MATH_LOG"))
    if (FILE *file = std::fopen(log, "a")) {
      std::fprintf(file, "%s\n", what);
      std::fclose(file);
    }
  auto work = std::make_shared<Work>();
  work->what = what;
  auto add = [&](const Touched &t) {
    if (!t.bytes)
      return 0;
    auto begin = reinterpret_cast<uintptr_t>(t.address);
    work->accesses.push_back({begin, begin + t.bytes, t.write});
    return shoal_standin_check_memory(stream, t.address, t.bytes, what);
  };
  for (const Touched &t : touched)
    if (add(t))
      return kMathFailed;
  if (add({workArea, workBytes, true}))
    return kMathFailed;
  work->run = [=] {
    if (workBytes)
      std::memset(workArea, 0xab, workBytes);
    run();
    return CUDA_SUCCESS;
  };
  return shoal_standin_issue(stream, &work) ? kMathFailed : kMathSuccess;
}

/// Bytes of a column-major matrix.
inline size_t matrixBytes(int rows, int columns, int lead, size_t element) {
  return columns ? (size_t(lead) * (columns - 1) + rows) * element : 0;
}

/// A handle of cuBLAS or cuSOLVER, which belongs to one stream.
struct MathHandle {
  static constexpr uint64_t alive = 0x5468616e646c65;
  uint64_t mark = alive;
  void *stream = nullptr;
};
inline MathHandle *checkHandle(const char *what, void *handle) {
  auto *h = static_cast<MathHandle *>(handle);
  if (h && h->mark == MathHandle::alive)
    return h;
  misuse(what, "no handle");
  return nullptr;
}
inline int setHandleStream(const char *what, void *handle, void *stream) {
  MathHandle *h = checkHandle(what, handle);
  if (!h)
    return kMathInvalid;
  if (h->stream && h->stream != stream)
    return misuse(what, "the handle goes from one stream to another");
  h->stream = stream;
  return kMathSuccess;
}

} // namespace shoal::standin

#endif // SHOAL_TEST_EMULATOR_MATH_WORK_H
