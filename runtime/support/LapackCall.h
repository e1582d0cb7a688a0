// What the LAPACK custom calls share: the library, operands and attributes of a
// call, column-major copies.
#ifndef SHOAL_RUNTIME_SUPPORT_LAPACKCALL_H
#define SHOAL_RUNTIME_SUPPORT_LAPACKCALL_H

#include "shoal/runtime/CustomCall.h"

#include <algorithm>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>
#include <type_traits>
#include <vector>

namespace shoal::lapack {

using Int = int32_t; // LAPACK's INTEGER

template <typename T>
struct Precision;
template <>
struct Precision<float> {
  static constexpr char letter = 's';
  using Real = float;
  static constexpr bool isComplex = false;
};
template <>
struct Precision<double> {
  static constexpr char letter = 'd';
  using Real = double;
  static constexpr bool isComplex = false;
};
template <>
struct Precision<std::complex<float>> {
  static constexpr char letter = 'c';
  using Real = float;
  static constexpr bool isComplex = true;
};
template <>
struct Precision<std::complex<double>> {
  static constexpr char letter = 'z';
  using Real = double;
  static constexpr bool isComplex = true;
};
template <typename T>
using RealOf = typename Precision<T>::Real;

/// Address of a Fortran function, or null.
inline void *lookup(const std::string &name) {
  static void *library = [] {
    void *handle = ::dlopen("liblapack.so.3", RTLD_NOW | RTLD_LOCAL);
    // Ranks already use all cores, and results must not depend on threads.
    if (handle)
      if (auto set = reinterpret_cast<void (*)(int)>(
              ::dlsym(handle, "openblas_set_num_threads")))
        set(1);
    return handle;
  }();
  return library ? ::dlsym(library, (name + "_").c_str()) : nullptr;
}

/// One call: its tensors and attributes, and where to report errors.
class Call {
public:
  Call(const ShoalCustomCall *call, char *error, size_t errorSize)
      : call(call), error(error), errorSize(errorSize) {}

  const ShoalCustomCallBuffer &in(int i) const { return call->inputs[i]; }
  const ShoalCustomCallBuffer &out(int i) const { return call->outputs[i]; }
  /// Sizes counted from the last dimension.
  static int64_t dim(const ShoalCustomCallBuffer &b, int fromLast) {
    return b.shape[b.rank - fromLast];
  }
  static int64_t batch(const ShoalCustomCallBuffer &b, int inner) {
    int64_t count = 1;
    for (int d = 0; d < b.rank - inner; ++d)
      count *= b.shape[d];
    return count;
  }
  template <typename T>
  static T *at(const ShoalCustomCallBuffer &b, int64_t element) {
    return static_cast<T *>(b.data) + element;
  }

  /// A number or a truth value at the start of a text.
  static int number(const char *text) {
    return std::strncmp(text, "true", 4) == 0 ? 1 : std::atoi(text);
  }

  /// A character (or a truth value, 0 or 1), `otherwise` if it is absent.
  char attribute(const char *name, char otherwise) const {
    return char(integer(name, otherwise));
  }
  Int integer(const char *name, Int otherwise) const {
    std::string key = std::string(name) + " = ";
    const char *found = call->config;
    while (found && (found = std::strstr(found, key.c_str()))) {
      bool whole = found == call->config || found[-1] == ' ' ||
                   found[-1] == '{' || found[-1] == ',';
      if (whole)
        return number(found + key.size());
      ++found;
    }
    return otherwise;
  }

  /// The routine of this precision ("potrf" -> spotrf_), or an error.
  template <typename T, typename Fn>
  Fn *routine(const char *name) {
    std::string full = Precision<T>::letter + std::string(name);
    if (void *f = lookup(full))
      return reinterpret_cast<Fn *>(f);
    fail("'" + std::string(call->target) + "' needs LAPACK (" + full +
         "), which is not installed: apt-get install liblapack3");
    return nullptr;
  }
  int fail(const std::string &message) {
    std::snprintf(error, errorSize, "%s", message.c_str());
    return failed = 1;
  }
  bool expect(int64_t inputs, int64_t outputs) {
    if (call->numInputs == inputs && call->numOutputs == outputs)
      return true;
    fail("'" + std::string(call->target) + "' takes " + std::to_string(inputs) +
         " operands and gives " + std::to_string(outputs) + " results");
    return false;
  }
  int failed = 0;

private:
  const ShoalCustomCall *call;
  char *error;
  size_t errorSize;
};

/// Row-major rows x columns to column-major, and back.
template <typename T>
std::vector<T> columnMajor(const T *in, int64_t rows, int64_t columns) {
  std::vector<T> result(std::max<int64_t>(rows * columns, 1));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      result[j * rows + i] = in[i * columns + j];
  return result;
}
template <typename T>
void rowMajor(const std::vector<T> &in, int64_t rows, int64_t columns, T *out) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      out[i * columns + j] = in[j * rows + i];
}

inline Int leading(int64_t rows) { return Int(std::max<int64_t>(rows, 1)); }

/// Calls f(work, size) twice: for the size wanted, and with it.
template <typename T, typename Fn>
void withWork(Fn f) {
  T wanted{};
  Int query = -1;
  f(&wanted, &query);
  Int size = std::max<Int>(1, Int(std::real(wanted)));
  std::vector<T> work(size);
  f(work.data(), &size);
}

} // namespace shoal::lapack

// The runtime finds the custom call `name` as shoal_custom_call_<name>.
#define LAPACK_CALL(name, function, T)                                         \
  extern "C" __attribute__((visibility("default"))) int                        \
  shoal_custom_call_lapack_##name##_ffi(const ShoalCustomCall *call,           \
                                        char *error, size_t errorSize) {       \
    shoal::lapack::Call c(call, error, errorSize);                             \
    return function<T>(c);                                                     \
  }
#define LAPACK_CALLS(name, function)                                           \
  LAPACK_CALL(s##name, function, float)                                        \
  LAPACK_CALL(d##name, function, double)                                       \
  LAPACK_CALL(c##name, function, std::complex<float>)                          \
  LAPACK_CALL(z##name, function, std::complex<double>)

#endif // SHOAL_RUNTIME_SUPPORT_LAPACKCALL_H
