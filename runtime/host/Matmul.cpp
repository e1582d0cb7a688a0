// Matrix products of the host program: any batch, free and contracted
// dimensions in any order.
//
// What stands for one dimension of a matrix may be several dimensions of the
// tensor. Where their strides let them step as one they are used as they lie;
// an operand for which they do not is packed, and a result is made in a buffer
// and put in order afterwards. Then there is one block product per batch index.
#include "host/Execution.h"
#include "host/StridedCopy.h"
#include "host/TypedProduct.h"

#include "shoal/runtime/DType.h"

#include <cstring>
#include <optional>

namespace shoal::rt {

namespace {

/// A dimension of the product: size, and strides in elements (0 where absent).
struct Dim {
  int64_t size = 1, lhs = 0, rhs = 0, out = 0;
};

int64_t sizeOf(const std::vector<Dim> &dims) {
  int64_t n = 1;
  for (const Dim &d : dims)
    n *= d.size;
  return n;
}

/// The one stride with which all of `dims` step in a tensor, if there is one.
std::optional<int64_t> joined(const std::vector<Dim> &dims,
                              int64_t Dim::*stride) {
  if (dims.empty())
    return 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i)
    if (dims[i].*stride != dims[i + 1].*stride * dims[i + 1].size)
      return std::nullopt;
  return dims.back().*stride;
}

/// One operand as a stack of matrices.
struct Matrix {
  const std::byte *data = nullptr;
  int64_t rowStride = 0, columnStride = 0;
  std::vector<int64_t> batchStrides; // per batch dimension
};

bool hasUnitStride(const std::vector<Dim> &dims, int64_t Dim::*stride) {
  for (const Dim &d : dims)
    if (d.*stride == 1)
      return true;
  return false;
}

/// Lays a buffer of [batch][outer][inner] out densely: appends the dimensions
/// with the tensor's stride and the buffer's.
std::vector<CopyDim> denseDims(const std::vector<Dim> &batch,
                               const std::vector<Dim> &outer,
                               const std::vector<Dim> &inner,
                               int64_t Dim::*stride,
                               std::vector<int64_t> &batchStrides) {
  std::vector<CopyDim> dims;
  int64_t step = 1;
  auto append = [&](const std::vector<Dim> &list) {
    for (size_t i = list.size(); i-- > 0;) {
      dims.push_back({list[i].size, list[i].*stride, step});
      step *= list[i].size;
    }
  };
  append(inner);
  append(outer);
  size_t first = dims.size();
  append(batch);
  batchStrides.clear();
  for (size_t i = dims.size(); i-- > first;)
    batchStrides.push_back(dims[i].to);
  return dims;
}

AlignedBuffer &workspace(int which, int64_t bytes) {
  thread_local AlignedBuffer buffers[3];
  if (!buffers[which].isValid() ||
      buffers[which].size() < static_cast<size_t>(bytes))
    buffers[which] = AlignedBuffer(static_cast<size_t>(bytes));
  return buffers[which];
}

/// An operand with dimensions `rows` and `columns`, packed if it must be.
/// No data: no memory.
Matrix operand(int which, const std::byte *data, int64_t width,
               const std::vector<Dim> &batch, const std::vector<Dim> &rows,
               const std::vector<Dim> &columns, int64_t Dim::*stride) {
  Matrix m;
  auto row = joined(rows, stride), column = joined(columns, stride);
  if (row && column) {
    m.data = data;
    m.rowStride = *row;
    m.columnStride = *column;
    for (const Dim &d : batch)
      m.batchStrides.push_back(d.*stride);
    return m;
  }
  // The dimension that is contiguous in the tensor stays so.
  bool rowsInner = hasUnitStride(rows, stride);
  int64_t numRows = sizeOf(rows), numColumns = sizeOf(columns);
  std::vector<CopyDim> dims =
      rowsInner ? denseDims(batch, columns, rows, stride, m.batchStrides)
                : denseDims(batch, rows, columns, stride, m.batchStrides);
  AlignedBuffer &buffer =
      workspace(which, sizeOf(batch) * numRows * numColumns * width);
  if (!buffer.isValid())
    return m;
  copyStrided(data, buffer.data(), dims, width);
  m.data = buffer.data();
  m.rowStride = rowsInner ? 1 : numColumns;
  m.columnStride = rowsInner ? numRows : 1;
  return m;
}

} // namespace

bool Rank::matmul(const program::Instruction &i, std::span<const int64_t> ops) {
  // lhs, rhs, out, flags, accumulation type, nBatch, nM, nN, nK, then dims.
  auto type = [&](int64_t slot) {
    return run_.program.type(run_.slots[slot].type).dtype;
  };
  DType lhsType = type(ops[0]), rhsType = type(ops[1]), outType = type(ops[2]);
  const std::byte *lhsData = slots[ops[0]], *rhsData = slots[ops[1]];
  std::byte *out = slots[ops[2]];
  bool accumulate = ops[3] & 1;
  std::vector<Dim> groups[4];
  size_t at = 9;
  for (int g = 0; g < 4; ++g)
    for (int64_t d = 0; d < ops[5 + g]; ++d, at += 4) {
      if (ops[at] == 0) { // an empty sum is zero
        if (!accumulate)
          std::memset(out, 0, run_.slots[ops[2]].bytes);
        return true;
      }
      if (ops[at] != 1)
        groups[g].push_back({ops[at], ops[at + 1], ops[at + 2], ops[at + 3]});
    }
  if (run_.options.poison && !accumulate)
    poison(static_cast<uint32_t>(ops[2]), ops.subspan(0, 2));
  std::vector<Dim> &batch = groups[0], &rows = groups[1], &columns = groups[2],
                   &sums = groups[3];
  std::sort(sums.begin(), sums.end(),
            [](const Dim &a, const Dim &b) { return a.lhs > b.lhs; });
  // Rows of the result should be contiguous; else its transpose is made.
  if (hasUnitStride(rows, &Dim::out)) {
    std::swap(rows, columns);
    std::swap(lhsType, rhsType);
    std::swap(lhsData, rhsData);
    for (auto &g : groups)
      for (Dim &d : g)
        std::swap(d.lhs, d.rhs);
  }
  int64_t m = sizeOf(rows), n = sizeOf(columns), k = sizeOf(sums),
          batches = sizeOf(batch);
  Matrix lhs =
      operand(0, lhsData, byteSize(lhsType), batch, rows, sums, &Dim::lhs);
  Matrix rhs =
      operand(1, rhsData, byteSize(rhsType), batch, sums, columns, &Dim::rhs);
  auto outRow = joined(rows, &Dim::out), outColumn = joined(columns, &Dim::out);
  bool direct = outRow && outColumn &&
                (n == 1 || *outColumn == 1 ||
                 !wantsContiguousRows(lhsType, rhsType, outType, accumulate));
  int64_t bytes = byteSize(outType);
  std::vector<int64_t> outBatch;
  std::vector<CopyDim> scatter;
  std::byte *target = out;
  if (direct) {
    for (const Dim &d : batch)
      outBatch.push_back(d.out);
  } else {
    scatter = denseDims(batch, rows, columns, &Dim::out, outBatch);
    for (CopyDim &d : scatter)
      std::swap(d.from, d.to);
    outRow = n;
    outColumn = 1;
    AlignedBuffer &buffer = workspace(2, batches * m * n * bytes);
    target = buffer.isValid() ? buffer.data() : nullptr;
    if (target && accumulate) {
      std::vector<CopyDim> gather = scatter;
      for (CopyDim &d : gather)
        std::swap(d.from, d.to);
      copyStrided(out, target, gather, bytes);
    }
  }
  if (!lhs.data || !rhs.data || !target)
    return fail(i, "no memory to pack the operands of a matrix product");

  // Blocks of the result, from the shape only: results do not depend on
  // threads. Near squares, since each block's product packs its own operands;
  // many rows only in types that matrix units know: oneDNN has code for those
  // only of operands and results without gaps, and it packs all of the right
  // one for every block.
  bool byRows = m >= 512 && byteSize(lhsType) <= 2 && lhsType != DType::F16 &&
                lhsType != DType::I16 && lhsType != DType::UI16;
  // An operand that lies the other way round takes about twice as long to
  // pack, so blocks are that much longer along the other one.
  bool lhsTurned = lhs.columnStride != 1, rhsTurned = rhs.columnStride != 1;
  int64_t lhsCost = lhsTurned && !rhsTurned ? 2 : 1,
          rhsCost = rhsTurned && !lhsTurned ? 2 : 1;
  int64_t least = byRows ? 512 : lhsCost == rhsCost ? 128 : 96;
  int64_t high = m, wide = n;
  double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) *
                 static_cast<double>(k);
  int wanted = static_cast<int>(std::min(16.0, flops / (1 << 23)));
  for (int blocks = 1; 2 * blocks <= wanted; blocks *= 2) {
    int64_t &larger = high * lhsCost >= wide * rhsCost || byRows ? high : wide;
    if (larger < least)
      break;
    larger = ((larger + 1) / 2 + 15) / 16 * 16;
  }
  int64_t down = (m + high - 1) / high, across = (n + wide - 1) / wide,
          blocks = down * across;
  auto body = [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      int64_t rest = item / blocks, first = item % blocks / across * high,
              left = item % across * wide;
      int64_t l = first * lhs.rowStride, r = left * rhs.columnStride,
              o = first * *outRow + left * *outColumn;
      for (size_t d = batch.size(); d-- > 0;) {
        int64_t index = rest % batch[d].size;
        rest /= batch[d].size;
        l += index * lhs.batchStrides[d];
        r += index * rhs.batchStrides[d];
        o += index * outBatch[d];
      }
      const std::byte *a = lhs.data + l * byteSize(lhsType),
                      *b = rhs.data + r * byteSize(rhsType);
      std::byte *c = target + o * bytes;
      int64_t height = std::min(high, m - first),
              width = std::min(wide, n - left);
      typedProduct({height,
                    width,
                    k,
                    {a, lhsType, lhs.rowStride, lhs.columnStride},
                    {b, rhsType, rhs.rowStride, rhs.columnStride},
                    c,
                    outType,
                    *outRow,
                    *outColumn,
                    accumulate});
    }
    steps.fetch_add(1, std::memory_order_relaxed); // a sign of life
  };
  int64_t total = batches * blocks;
  double work = 2.0 * static_cast<double>(high) * static_cast<double>(wide) *
                static_cast<double>(k);
  int64_t grain =
      work > 2e5 ? 1
                 : std::max<int64_t>(1, static_cast<int64_t>(2e5 / (work + 1)));
  Pool::get().parallelFor(total, grain, body);
  if (!direct)
    copyStrided(target, out, scatter, bytes);
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
  // Dimension numbers: batch (input feature), feature (output feature),
  // spatial.
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
        inside =
            at >= 0 && at % p[3] == 0 && at / p[3] < lhsShape[lhsDims[2 + d]];
        lhsAt += inside ? at / p[3] * lhsStride[lhsDims[2 + d]] : 0;
      }
      if (!inside)
        continue;
      for (int64_t o = 0; o < outFeatures; ++o) {
        int64_t group = featureGroups > 1 ? o / featuresPerGroup : 0;
        int64_t lhsBatch = batchGroups > 1
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
