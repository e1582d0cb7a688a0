// Fourier transforms of any length: mixed radix (Stockham's arrangement, no bit
// reversal), Bluestein's algorithm where a prime factor is large. Twiddle
// factors are computed in long double, so that the error grows like sqrt(log n)
// units in the last place.
#include "shoal/runtime/Support.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace {

constexpr int64_t largestRadix = 31;

/// std::complex's product with its rules for infinities is slow; this is the
/// plain one.
template <typename T>
std::complex<T> times(std::complex<T> a, std::complex<T> b) {
  return {a.real() * b.real() - a.imag() * b.imag(),
          a.real() * b.imag() + a.imag() * b.real()};
}

/// e^(-2 pi i k / n), exact at the multiples of an eighth of a turn.
template <typename T>
std::complex<T> root(int64_t k, int64_t n) {
  k %= n;
  // Octant by octant, so that symmetric roots are symmetric.
  int64_t eighth = 8 * k / n;
  long double x = 8.0L * k / n - eighth; // position in the octant, [0, 1)
  constexpr long double quarterPi = 0.78539816339744830961566L;
  bool odd = eighth & 1;
  long double angle = quarterPi * (odd ? 1 - x : x);
  long double c = std::cos(angle), s = std::sin(angle);
  if (odd)
    std::swap(c, s);
  switch (eighth >> 1) { // quadrant of the angle 2 pi k / n
  case 0:
    break;
  case 1: {
    long double t = c;
    c = -s;
    s = t;
    break;
  }
  case 2:
    c = -c;
    s = -s;
    break;
  default: {
    long double t = c;
    c = s;
    s = -t;
    break;
  }
  }
  return {T(c), T(-s)};
}

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

/// One step of a transform of n points:
///   to[q + s (r p + k)] = w^(p k) sum_j from[q + s (p + m j)] e^(-2 pi i jk/r)
/// for q < s, p < m = length / r.
template <typename T>
struct Pass {
  using C = std::complex<T>;
  int64_t n, radix, length, stride;
  const C *roots, *from;
  C *to;

  [[gnu::always_inline]] void run() const {
    int64_t m = length / radix, step = n / length;
    for (int64_t p = 0; p < m; ++p)
      switch (radix) {
      case 2:
        two(p, m, step);
        break;
      case 3:
        three(p, m, step);
        break;
      case 4:
        four(p, m, step);
        break;
      case 5:
        five(p, m, step);
        break;
      default:
        generic(p, m, step);
      }
  }

private:
  // The two that most transforms are made of, on parts and on local names that
  // nothing else can change: in this form they vectorize.
  [[gnu::always_inline]] void two(int64_t p, int64_t m, int64_t step) const {
    const int64_t s = stride;
    const T wr = roots[p * step].real(), wi = roots[p * step].imag();
    const T *__restrict a = parts(from + s * p), *__restrict b = a + 2 * s * m;
    T *__restrict out = parts(to + s * 2 * p);
#pragma clang loop vectorize(assume_safety)
    for (int64_t q = 0; q < 2 * s; q += 2) {
      T dr = a[q] - b[q], di = a[q + 1] - b[q + 1];
      out[q] = a[q] + b[q];
      out[q + 1] = a[q + 1] + b[q + 1];
      out[q + 2 * s] = dr * wr - di * wi;
      out[q + 2 * s + 1] = dr * wi + di * wr;
    }
  }
  [[gnu::always_inline]] void four(int64_t p, int64_t m, int64_t step) const {
    const int64_t s = stride, far = 2 * s * m;
    const C w1 = roots[p * step], w2 = roots[2 * p * step],
            w3 = roots[3 * p * step];
    const T w1r = w1.real(), w1i = w1.imag(), w2r = w2.real(), w2i = w2.imag(),
            w3r = w3.real(), w3i = w3.imag();
    const T *__restrict in = parts(from + s * p);
    T *__restrict out = parts(to + s * 4 * p);
#pragma clang loop vectorize(assume_safety)
    for (int64_t q = 0; q < 2 * s; q += 2) {
      T ar = in[q], ai = in[q + 1], br = in[q + far], bi = in[q + far + 1],
        cr = in[q + 2 * far], ci = in[q + 2 * far + 1], dr = in[q + 3 * far],
        di = in[q + 3 * far + 1];
      T sr = ar + cr, si = ai + ci, tr = br + dr, ti = bi + di;
      T ur = ar - cr, ui = ai - ci, vr = bi - di, vi = dr - br; // -i (b - d)
      T xr = ur + vr, xi = ui + vi, yr = sr - tr, yi = si - ti, zr = ur - vr,
        zi = ui - vi;
      out[q] = sr + tr;
      out[q + 1] = si + ti;
      out[q + 2 * s] = xr * w1r - xi * w1i;
      out[q + 2 * s + 1] = xr * w1i + xi * w1r;
      out[q + 4 * s] = yr * w2r - yi * w2i;
      out[q + 4 * s + 1] = yr * w2i + yi * w2r;
      out[q + 6 * s] = zr * w3r - zi * w3i;
      out[q + 6 * s + 1] = zr * w3i + zi * w3r;
    }
  }
  static const T *parts(const C *numbers) {
    return reinterpret_cast<const T *>(numbers);
  }
  static T *parts(C *numbers) { return reinterpret_cast<T *>(numbers); }
  [[gnu::always_inline]] void three(int64_t p, int64_t m, int64_t step) const {
    C w1 = roots[p * step], w2 = roots[2 * p * step];
    constexpr T sine = T(0.86602540378443864676L);
    const C *in = from + stride * p;
    C *out = to + stride * 3 * p;
    for (int64_t q = 0; q < stride; ++q) {
      C a = in[q], b = in[q + stride * m], c = in[q + 2 * stride * m];
      C sum = b + c, rest = a - sum * T(0.5), diff = (b - c) * sine;
      C turned(diff.imag(), -diff.real()); // -i times
      out[q] = a + sum;
      out[q + stride] = times(rest + turned, w1);
      out[q + 2 * stride] = times(rest - turned, w2);
    }
  }
  [[gnu::always_inline]] void five(int64_t p, int64_t m, int64_t step) const {
    constexpr T c1 = T(0.30901699437494742410L),
                c2 = T(-0.80901699437494742410L);
    constexpr T s1 = T(0.95105651629515357212L),
                s2 = T(0.58778525229247312917L);
    C w1 = roots[p * step], w2 = roots[2 * p * step], w3 = roots[3 * p * step],
      w4 = roots[4 * p * step];
    const C *in = from + stride * p;
    C *out = to + stride * 5 * p;
    for (int64_t q = 0; q < stride; ++q) {
      C a = in[q], b = in[q + stride * m], c = in[q + 2 * stride * m],
        d = in[q + 3 * stride * m], e = in[q + 4 * stride * m];
      C be = b + e, cd = c + d, bme = b - e, cmd = c - d;
      C u = a + be * c1 + cd * c2, v = a + be * c2 + cd * c1;
      C x = bme * s1 + cmd * s2, y = bme * s2 - cmd * s1;
      C tx(x.imag(), -x.real()), ty(y.imag(), -y.real()); // -i times
      out[q] = a + be + cd;
      out[q + stride] = times(u + tx, w1);
      out[q + 2 * stride] = times(v + ty, w2);
      out[q + 3 * stride] = times(v - ty, w3);
      out[q + 4 * stride] = times(u - tx, w4);
    }
  }
  void generic(int64_t p, int64_t m, int64_t step) const {
    int64_t turn = n / radix;
    C in[largestRadix];
    for (int64_t q = 0; q < stride; ++q) {
      for (int64_t j = 0; j < radix; ++j)
        in[j] = from[q + stride * (p + m * j)];
      for (int64_t k = 0; k < radix; ++k) {
        C sum = in[0];
        int64_t at = 0;
        for (int64_t j = 1; j < radix; ++j) {
          at += k;
          if (at >= radix)
            at -= radix;
          sum += times(in[j], roots[at * turn]);
        }
        to[q + stride * (radix * p + k)] = times(sum, roots[p * k * step]);
      }
    }
  }
};

// One version for each kind of machine.
template <typename T>
void runPlain(const Pass<T> &pass) {
  pass.run();
}
#if defined(__x86_64__)
template <typename T>
__attribute__((target("arch=x86-64-v3"))) void runV3(const Pass<T> &pass) {
  pass.run();
}
template <typename T>
__attribute__((target("arch=x86-64-v4"))) void runV4(const Pass<T> &pass) {
  pass.run();
}
#endif
template <typename T>
void runPass(const Pass<T> &pass) {
#if defined(__x86_64__)
  static const auto best = __builtin_cpu_supports("x86-64-v4")   ? runV4<T>
                           : __builtin_cpu_supports("x86-64-v3") ? runV3<T>
                                                                 : runPlain<T>;
  best(pass);
#else
  runPlain(pass);
#endif
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

/// A complex transform of one length, forward, without scaling.
template <typename T>
class Plan {
public:
  using C = std::complex<T>;
  explicit Plan(int64_t n) : n(n) {
    int64_t rest = n;
    while (rest % 4 == 0) {
      factors.push_back(4);
      rest /= 4;
    }
    for (int64_t p = 2; p <= largestRadix && rest > 1; ++p)
      while (rest % p == 0) {
        factors.push_back(p);
        rest /= p;
      }
    if (rest > 1) {
      makeBluestein();
      return;
    }
    roots.resize(n);
    for (int64_t k = 0; k < n; ++k)
      roots[k] = root<T>(k, n);
  }

  /// How many transforms are best done together, so that the elements of one
  /// pass are neighbours but fit in the cache.
  int64_t linesTogether() const {
    return convolution ? 1 : std::clamp<int64_t>(32768 / n, 4, 16);
  }

  /// Of `lines` transforms whose points alternate: point k of transform l is
  /// data[k * lines + l]. One, or up to linesTogether(). `work` has workSize()
  /// elements for each. The result is in one of the two, which is returned.
  C *runEither(C *data, C *work, int64_t lines) const {
    if (n == 1)
      return data;
    if (convolution) {
      runBluestein(data, work);
      return data;
    }
    C *from = data, *to = work;
    int64_t length = n, stride = lines;
    for (int64_t radix : factors) {
      runPass(Pass<T>{n, radix, length, stride, roots.data(), from, to});
      length /= radix;
      stride *= radix;
      std::swap(from, to);
    }
    return from;
  }
  /// One transform, in place.
  void run(C *data, C *work) const {
    if (C *result = runEither(data, work, 1); result != data)
      std::copy(result, result + n, data);
  }
  int64_t workSize() const { return convolution ? 2 * convolution->n : n; }

private:
  /// The transform as a convolution with e^(i pi k^2 / n), done by transforms
  /// of a power of two.
  void makeBluestein() {
    int64_t size = 1;
    while (size < 2 * n - 1)
      size *= 2;
    convolution = std::make_unique<Plan>(size);
    chirp.resize(n);
    for (int64_t k = 0; k < n; ++k)
      chirp[k] = root<T>(int64_t((__int128(k) * k) % (2 * n)), 2 * n);
    kernel.assign(size, C());
    for (int64_t k = 0; k < n; ++k) {
      kernel[k] = std::conj(chirp[k]);
      if (k)
        kernel[size - k] = std::conj(chirp[k]);
    }
    std::vector<C> work(convolution->workSize());
    convolution->run(kernel.data(), work.data());
    for (C &value : kernel)
      value /= T(size);
  }
  void runBluestein(C *data, C *work) const {
    int64_t size = convolution->n;
    C *a = work, *inner = work + size;
    std::fill(a, a + size, C());
    for (int64_t k = 0; k < n; ++k)
      a[k] = times(data[k], chirp[k]);
    convolution->run(a, inner);
    // Inverse by conjugation: conj(F(conj(x))).
    for (int64_t k = 0; k < size; ++k)
      a[k] = std::conj(times(a[k], kernel[k]));
    convolution->run(a, inner);
    for (int64_t k = 0; k < n; ++k)
      data[k] = times(std::conj(a[k]), chirp[k]);
  }

  int64_t n;
  std::vector<int64_t> factors;
  std::vector<C> roots;
  std::unique_ptr<Plan> convolution;
  std::vector<C> chirp, kernel;
};

/// Plans are made once per process and length.
template <typename T>
const Plan<T> &getPlan(int64_t n) {
  static std::mutex mutex;
  static std::map<int64_t, std::unique_ptr<Plan<T>>> plans;
  std::lock_guard lock(mutex);
  std::unique_ptr<Plan<T>> &plan = plans[n];
  if (!plan)
    plan = std::make_unique<Plan<T>>(n);
  return *plan;
}

/// The roots that separate the halves of a real transform, also kept.
template <typename T>
const std::vector<std::complex<T>> &getRoots(int64_t n) {
  static std::mutex mutex;
  static std::map<int64_t, std::unique_ptr<std::vector<std::complex<T>>>> all;
  std::lock_guard lock(mutex);
  auto &roots = all[n];
  if (!roots) {
    roots = std::make_unique<std::vector<std::complex<T>>>(n / 2 + 1);
    for (int64_t k = 0; k <= n / 2; ++k)
      (*roots)[k] = root<T>(k, n);
  }
  return *roots;
}

/// Along a dimension whose neighbours are `stride` apart, forward or inverse
/// (unscaled): `outer` blocks of `stride` transforms. Several go together.
template <typename T>
void transformLines(int64_t n, int64_t outer, int64_t stride, bool inverse,
                    std::complex<T> *data) {
  using C = std::complex<T>;
  const Plan<T> &plan = getPlan<T>(n);
  // Transform l starts at `block` l / stride and is its number l % stride.
  int64_t count = outer * stride;
  int64_t together = std::min(plan.linesTogether(), count);
  if (stride > 1)
    together = std::min(together, stride);
  std::vector<C> lines(together * n), work(together * plan.workSize());
  auto turn = [&](C value) { return inverse ? std::conj(value) : value; };
  for (int64_t first = 0; first < count;) {
    // Transforms of one block, or whole blocks of one transform each.
    int64_t here = std::min(together, stride > 1 ? stride - first % stride
                                                 : count - first);
    C *start = data + first / stride * n * stride + first % stride;
    int64_t next = stride > 1 ? 1 : n;
    for (int64_t k = 0; k < n; ++k)
      for (int64_t l = 0; l < here; ++l)
        lines[k * here + l] = turn(start[k * stride + l * next]);
    const C *done = plan.runEither(lines.data(), work.data(), here);
    for (int64_t k = 0; k < n; ++k)
      for (int64_t l = 0; l < here; ++l)
        start[k * stride + l * next] = turn(done[k * here + l]);
    first += here;
  }
}

/// Real points to the first n/2 + 1 of their transform. For even n, one
/// complex transform of n/2 points and a separation of its two halves.
template <typename T>
void realLine(int64_t n, const T *in, std::complex<T> *out,
              std::vector<std::complex<T>> &line,
              std::vector<std::complex<T>> &work) {
  using C = std::complex<T>;
  if (n % 2) {
    for (int64_t k = 0; k < n; ++k)
      line[k] = in[k];
    getPlan<T>(n).run(line.data(), work.data());
    std::copy(line.begin(), line.begin() + n / 2 + 1, out);
    return;
  }
  int64_t h = n / 2;
  for (int64_t k = 0; k < h; ++k)
    line[k] = {in[2 * k], in[2 * k + 1]};
  getPlan<T>(h).run(line.data(), work.data());
  const std::vector<C> &roots = getRoots<T>(n);
  for (int64_t k = 0; k <= h; ++k) {
    C a = line[k == h ? 0 : k], b = std::conj(line[k == 0 ? 0 : h - k]);
    C even = (a + b) * T(0.5), odd = (a - b) * T(0.5);
    C turned = times(odd, roots[k]); // i times the odd half
    out[k] = even + C(turned.imag(), -turned.real());
  }
  out[0].imag(0);
  out[h].imag(0);
}

/// The inverse; the imaginary parts of the first point and, for even n, of the
/// last count as zero.
template <typename T>
void inverseRealLine(int64_t n, const std::complex<T> *in, T *out,
                     std::vector<std::complex<T>> &line,
                     std::vector<std::complex<T>> &work) {
  using C = std::complex<T>;
  if (n % 2 == 0) {
    // The two halves of a transform of n/2 points, conjugated: a forward
    // transform then gives the inverse.
    int64_t h = n / 2;
    const std::vector<C> &roots = getRoots<T>(n);
    for (int64_t k = 0; k < h; ++k) {
      C a = in[k], b = std::conj(in[h - k]);
      if (k == 0)
        a.imag(0), b.imag(0);
      C odd = times(a - b, std::conj(roots[k]));
      line[k] = std::conj(a + b + C(-odd.imag(), odd.real()));
    }
    getPlan<T>(h).run(line.data(), work.data());
    for (int64_t k = 0; k < h; ++k) {
      out[2 * k] = line[k].real() / T(n);
      out[2 * k + 1] = -line[k].imag() / T(n);
    }
    return;
  }
  for (int64_t k = 0; k <= n / 2; ++k) {
    C value = in[k];
    if (k == 0)
      value.imag(0);
    line[k] = std::conj(value);
    if (k)
      line[n - k] = value;
  }
  getPlan<T>(n).run(line.data(), work.data());
  for (int64_t k = 0; k < n; ++k)
    out[k] = line[k].real() / T(n);
}

/// `count` transforms, one after the other in memory.
template <typename T>
void run(int kind, int rank, const int64_t *lengths, int64_t count,
         const void *in, void *out) {
  using C = std::complex<T>;
  int64_t n = lengths[rank - 1], outer = count;
  for (int d = 0; d + 1 < rank; ++d)
    outer *= lengths[d];
  bool real = kind == ShoalRealFft || kind == ShoalInverseRealFft;
  bool inverse = kind == ShoalInverseFft || kind == ShoalInverseRealFft;
  int64_t last = real ? n / 2 + 1 : n; // complex points in the last dimension
  std::vector<C> line(real ? n : 0);
  std::vector<C> work(
      real ? std::max(getPlan<T>(n).workSize(),
                      getPlan<T>(std::max<int64_t>(n / 2, 1)).workSize())
           : 0);
  std::vector<C> copy;
  C *data = static_cast<C *>(out);
  if (kind == ShoalInverseRealFft) {
    copy.assign(static_cast<const C *>(in),
                static_cast<const C *>(in) + outer * last);
    data = copy.data();
  } else if (kind == ShoalRealFft) {
    for (int64_t o = 0; o < outer; ++o)
      realLine(n, static_cast<const T *>(in) + o * n, data + o * last, line,
               work);
  } else {
    std::copy(static_cast<const C *>(in),
              static_cast<const C *>(in) + outer * n, data);
    transformLines(n, outer, 1, inverse, data);
  }
  int64_t points = real ? 1 : n;
  int64_t stride = last; // between points of the dimension
  for (int d = rank - 2; d >= 0; --d) {
    outer /= lengths[d];
    transformLines(lengths[d], outer, stride, inverse, data);
    stride *= lengths[d];
    points *= lengths[d];
  }
  if (kind == ShoalInverseRealFft) {
    int64_t lines = count * stride / last;
    T *result = static_cast<T *>(out);
    for (int64_t o = 0; o < lines; ++o)
      inverseRealLine(n, data + o * last, result + o * n, line, work);
    if (points > 1)
      for (int64_t k = 0; k < lines * n; ++k)
        result[k] /= T(points);
  } else if (kind == ShoalInverseFft) {
    for (int64_t k = 0; k < count * stride; ++k)
      data[k] /= T(points);
  }
}

} // namespace

extern "C" __attribute__((visibility("default"))) void
shoal_rt_ffts(int32_t kind, int32_t isDouble, int32_t rank,
              const int64_t *lengths, int64_t count, const void *in,
              void *out) {
  if (isDouble)
    run<double>(kind, rank, lengths, count, in, out);
  else
    run<float>(kind, rank, lengths, count, in, out);
}

extern "C" __attribute__((visibility("default"))) void
shoal_rt_fft(int32_t kind, int32_t isDouble, int32_t rank,
             const int64_t *lengths, const void *in, void *out) {
  shoal_rt_ffts(kind, isDouble, rank, lengths, 1, in, out);
}
