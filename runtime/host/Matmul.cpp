// The library instructions of the host program: products of tensors with any
// batch, free and contracted dimensions, and convolutions.
//
// Lists of dimensions are joined as far as their strides allow; what is left
// over becomes loops around block products.
#include "host/Execution.h"
#include "host/Gemm.h"

#include "shoal/runtime/DType.h"

#include <cstring>

namespace shoal::rt {

namespace {

/// A dimension of the product: size, and strides in elements (0 where absent).
struct Dim {
  int64_t size = 1, lhs = 0, rhs = 0, out = 0;
};

/// Joins neighbours that step as one; drops dimensions of size one.
std::vector<Dim> joined(std::span<const Dim> dims) {
  std::vector<Dim> result;
  for (const Dim &d : dims) {
    if (d.size == 1)
      continue;
    if (!result.empty()) {
      Dim &major = result.back();
      if (major.lhs == d.lhs * d.size && major.rhs == d.rhs * d.size &&
          major.out == d.out * d.size) {
        major = {major.size * d.size, d.lhs, d.rhs, d.out};
        continue;
      }
    }
    result.push_back(d);
  }
  return result;
}

/// Calls body(lhs, rhs, out) with the offsets of every index of `dims`.
template <typename Body>
void forEachIndex(std::span<const Dim> dims, int64_t lhs, int64_t rhs,
                  int64_t out, const Body &body) {
  if (dims.empty())
    return body(lhs, rhs, out);
  for (int64_t i = 0; i < dims[0].size; ++i)
    forEachIndex(dims.subspan(1), lhs + i * dims[0].lhs, rhs + i * dims[0].rhs,
                 out + i * dims[0].out, body);
}

/// The straightforward sum, for types without a library.
template <typename Acc, typename Load, typename Store>
void loops(std::span<const Dim> outer, std::span<const Dim> k, const Load &load,
           const Store &store) {
  forEachIndex(outer, 0, 0, 0, [&](int64_t l, int64_t r, int64_t o) {
    Acc sum{};
    forEachIndex(k, l, r, 0, [&](int64_t lk, int64_t rk, int64_t) {
      sum += load(0, lk) * load(1, rk);
    });
    store(o, sum);
  });
}

} // namespace

bool Rank::matmul(const program::Instruction &i, std::span<const int64_t> ops) {
  // lhs, rhs, out, flags, accumulation type, nBatch, nM, nN, nK, then dims.
  auto type = [&](int64_t slot) {
    return run_.program.type(run_.slots[slot].type).dtype;
  };
  DType lhsType = type(ops[0]), rhsType = type(ops[1]), outType = type(ops[2]);
  const std::byte *lhs = slots[ops[0]], *rhs = slots[ops[1]];
  std::byte *out = slots[ops[2]];
  bool accumulate = ops[3] & 1;
  std::vector<Dim> groups[4];
  size_t at = 9;
  for (int g = 0; g < 4; ++g) {
    std::vector<Dim> dims;
    for (int64_t d = 0; d < ops[5 + g]; ++d, at += 4)
      dims.push_back({ops[at], ops[at + 1], ops[at + 2], ops[at + 3]});
    groups[g] = joined(dims);
  }
  for (auto &g : groups)
    for (const Dim &d : g)
      if (d.size == 0) { // an empty sum is zero
        if (!accumulate)
          std::memset(out, 0, run_.slots[ops[2]].bytes);
        return true;
      }
  if (run_.options.poison && !accumulate)
    poison(static_cast<uint32_t>(ops[2]), ops.subspan(0, 2));

  auto isLibrary = [](DType t) { return t == DType::F32 || t == DType::BF16; };
  // The innermost dimension of each list goes to the library, the others loop.
  std::vector<Dim> outer = groups[0];
  auto split = [&](std::vector<Dim> &g) {
    Dim last;
    if (!g.empty()) {
      last = g.back();
      outer.insert(outer.end(), g.begin(), g.end() - 1);
    }
    return last;
  };
  if (isLibrary(lhsType) && isLibrary(rhsType) && isLibrary(outType) &&
      !accumulate && groups[3].size() <= 1) {
    Dim m = split(groups[1]), n = split(groups[2]);
    Dim k = groups[3].empty() ? Dim() : groups[3][0];
    if (n.size == 1 || n.out == 1) {
      auto code = [](DType t) {
        return t == DType::BF16 ? ShoalMatmulBF16 : ShoalMatmulF32;
      };
      ShoalMatmul shape = {};
      shape.n = n.size;
      shape.k = k.size;
      shape.lhsStrideM = m.lhs;
      shape.lhsStrideK = k.lhs;
      shape.rhsStrideK = k.rhs;
      shape.rhsStrideN = n.rhs;
      shape.outStrideM = m.out;
      shape.lhsType = code(lhsType);
      shape.rhsType = code(rhsType);
      shape.outType = code(outType);
      // Blocks of rows, from the shape only: results do not depend on threads.
      int64_t rows = m.size;
      int64_t work = 2 * n.size * k.size;
      int64_t block = rows;
      if (work * rows > (int64_t{1} << 24))
        block = std::max<int64_t>(
            64, ((rows + 15) / 16 + 15) / 16 * 16);
      int64_t blocks = (rows + block - 1) / block, products = 1;
      for (const Dim &d : outer)
        products *= d.size;
      auto body = [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          int64_t rest = item / blocks, first = item % blocks * block;
          int64_t l = first * m.lhs, r = 0, o = first * m.out;
          for (size_t d = outer.size(); d-- > 0;) {
            int64_t index = rest % outer[d].size;
            rest /= outer[d].size;
            l += index * outer[d].lhs;
            r += index * outer[d].rhs;
            o += index * outer[d].out;
          }
          ShoalMatmul part = shape;
          part.m = std::min(block, rows - first);
          gemm(part, lhs + l * byteSize(lhsType), rhs + r * byteSize(rhsType),
               out + o * byteSize(outType));
        }
      };
      int64_t total = products * blocks;
      int64_t grain = work * std::min(block, rows) > 200000
                          ? 1
                          : std::max<int64_t>(1, total / 16);
      Pool::get().parallelFor(total, grain, body);
      return true;
    }
    outer = groups[0];
  }

  outer.insert(outer.end(), groups[1].begin(), groups[1].end());
  outer.insert(outer.end(), groups[2].begin(), groups[2].end());
  auto element = [&](int which, int64_t index) {
    return which == 0 ? lhs + index * byteSize(lhsType)
                      : rhs + index * byteSize(rhsType);
  };
  auto target = [&](int64_t index) { return out + index * byteSize(outType); };
  auto operandType = [&](int which) { return which == 0 ? lhsType : rhsType; };
  if (isInteger(outType)) {
    loops<uint64_t>(
        outer, groups[3],
        [&](int w, int64_t e) {
          return static_cast<uint64_t>(toInt64(operandType(w), element(w, e)));
        },
        [&](int64_t e, uint64_t sum) {
          if (accumulate)
            sum += static_cast<uint64_t>(toInt64(outType, target(e)));
          std::memcpy(target(e), &sum,
                      static_cast<size_t>(byteSize(outType)));
        });
  } else if (isComplex(outType)) {
    loops<std::complex<double>>(
        outer, groups[3],
        [&](int w, int64_t e) {
          return toComplex(operandType(w), element(w, e));
        },
        [&](int64_t e, std::complex<double> sum) {
          if (accumulate)
            sum += toComplex(outType, target(e));
          DType part = outType == DType::C64 ? DType::F32 : DType::F64;
          fromDouble(part, sum.real(), target(e));
          fromDouble(part, sum.imag(), target(e) + byteSize(part));
        });
  } else {
    loops<double>(
        outer, groups[3],
        [&](int w, int64_t e) {
          return toDouble(operandType(w), element(w, e));
        },
        [&](int64_t e, double sum) {
          if (accumulate)
            sum += toDouble(outType, target(e));
          fromDouble(outType, sum, target(e));
        });
  }
  return true;
}

bool Rank::convolution(const program::Instruction &i,
                       std::span<const int64_t> ops) {
  auto type = [&](int64_t slot) {
    return run_.program.type(run_.slots[slot].type).dtype;
  };
  auto shape = [&](int64_t slot) {
    return run_.program.shape(run_.slots[slot].type);
  };
  auto strides = [](std::span<const int64_t> dims) {
    std::vector<int64_t> s(dims.size(), 1);
    for (size_t d = dims.size(); d-- > 1;)
      s[d - 1] = s[d] * dims[d];
    return s;
  };
  DType lhsType = type(ops[0]), rhsType = type(ops[1]), outType = type(ops[2]);
  size_t n = static_cast<size_t>(ops[4]);
  auto lhsShape = shape(ops[0]), rhsShape = shape(ops[1]),
       outShape = shape(ops[2]);
  auto lhsStride = strides(lhsShape), rhsStride = strides(rhsShape),
       outStride = strides(outShape);
  // Dimension numbers: batch (input feature), feature (output feature), spatial.
  auto lhsDims = ops.subspan(5, 2 + n), rhsDims = ops.subspan(7 + n, 2 + n),
       outDims = ops.subspan(9 + 2 * n, 2 + n);
  int64_t featureGroups = ops[11 + 3 * n], batchGroups = ops[12 + 3 * n];
  auto window = ops.subspan(13 + 3 * n);
  const std::byte *lhs = slots[ops[0]], *rhs = slots[ops[1]];
  std::byte *out = slots[ops[2]];
  int64_t outBatch = outShape[outDims[0]], outFeatures = outShape[outDims[1]],
          kernelFeatures = rhsShape[rhsDims[0]];
  int64_t outSpatial = 1, kernelSpatial = 1;
  for (size_t d = 0; d < n; ++d) {
    outSpatial *= outShape[outDims[2 + d]];
    kernelSpatial *= rhsShape[rhsDims[2 + d]];
  }
  if (outFeatures == 0 || outBatch == 0 || outSpatial == 0)
    return true;
  int64_t featuresPerGroup = std::max<int64_t>(1, outFeatures / featureGroups);
  int64_t featuresPerBatchGroup =
      std::max<int64_t>(1, outFeatures / batchGroups);
  auto pixel = [&](int64_t item) {
    int64_t position = item % outSpatial, batch = item / outSpatial;
    std::vector<int64_t> index(n);
    int64_t outAt = batch * outStride[outDims[0]];
    for (size_t d = n; d-- > 0;) {
      int64_t size = outShape[outDims[2 + d]];
      index[d] = position % size;
      position /= size;
      outAt += index[d] * outStride[outDims[2 + d]];
    }
    std::vector<double> sums(static_cast<size_t>(outFeatures), 0.0);
    std::vector<int64_t> integers(
        isInteger(outType) ? static_cast<size_t>(outFeatures) : 0, 0);
    for (int64_t w = 0; w < kernelSpatial; ++w) {
      int64_t rest = w, lhsAt = 0, rhsAt = 0;
      bool inside = true;
      for (size_t d = n; d-- > 0 && inside;) {
        auto p = window.subspan(6 * d, 6); // stride, low, high, lhs, rhs, rev
        int64_t size = rhsShape[rhsDims[2 + d]];
        int64_t k = rest % size;
        rest /= size;
        rhsAt += (p[5] ? size - 1 - k : k) * rhsStride[rhsDims[2 + d]];
        int64_t at = index[d] * p[0] + k * p[4] - p[1];
        inside = at >= 0 && at % p[3] == 0 &&
                 at / p[3] < lhsShape[lhsDims[2 + d]];
        lhsAt += inside ? at / p[3] * lhsStride[lhsDims[2 + d]] : 0;
      }
      if (!inside)
        continue;
      for (int64_t o = 0; o < outFeatures; ++o) {
        int64_t group = featureGroups > 1 ? o / featuresPerGroup : 0;
        int64_t lhsBatch =
            batchGroups > 1
                ? o / featuresPerBatchGroup * outBatch + batch
                : batch;
        int64_t l = lhsAt + lhsBatch * lhsStride[lhsDims[0]] +
                    group * kernelFeatures * lhsStride[lhsDims[1]];
        int64_t r = rhsAt + o * rhsStride[rhsDims[1]];
        for (int64_t c = 0; c < kernelFeatures; ++c) {
          const std::byte *a =
              lhs + (l + c * lhsStride[lhsDims[1]]) * byteSize(lhsType);
          const std::byte *b =
              rhs + (r + c * rhsStride[rhsDims[0]]) * byteSize(rhsType);
          if (integers.empty())
            sums[o] += toDouble(lhsType, a) * toDouble(rhsType, b);
          else
            integers[o] = static_cast<int64_t>(
                static_cast<uint64_t>(integers[o]) +
                static_cast<uint64_t>(toInt64(lhsType, a)) *
                    static_cast<uint64_t>(toInt64(rhsType, b)));
        }
      }
    }
    for (int64_t o = 0; o < outFeatures; ++o) {
      std::byte *to =
          out + (outAt + o * outStride[outDims[1]]) * byteSize(outType);
      if (integers.empty())
        fromDouble(outType, sums[o], to);
      else
        std::memcpy(to, &integers[o], static_cast<size_t>(byteSize(outType)));
    }
  };
  if (isComplex(outType))
    return fail(i, "convolutions of complex numbers are not supported");
  Pool::get().parallelFor(outBatch * outSpatial, 1,
                          [&](int64_t begin, int64_t end) {
                            for (int64_t item = begin; item < end; ++item)
                              pixel(item);
                          });
  return true;
}

} // namespace shoal::rt
