// The loops of a dot_general or a convolution.

#include "Loops.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

void Loops::split(Split split, SmallVector<SmallVector<int64_t>> &parts) const {
  auto [loop, part] = origin[split.atom];
  parts.resize(std::max<size_t>(parts.size(), origin.back().first + 1));
  if (parts[loop].empty())
    parts[loop].push_back(space[split.atom].size);
  parts[loop][part] /= split.inner;
  parts[loop].insert(parts[loop].begin() + part + 1, split.inner);
}

DimIndex Loops::add(Role role, int64_t size,
                    ArrayRef<SmallVector<int64_t>> parts) {
  unsigned number = count++;
  SmallVector<int64_t> sizes{size};
  if (number < parts.size() && !parts[number].empty())
    sizes = parts[number];
  SmallVector<unsigned> atoms;
  for (auto [part, partSize] : llvm::enumerate(sizes)) {
    atoms.push_back(space.size());
    space.push_back({role, partSize});
    origin.push_back({number, unsigned(part)});
  }
  return rowMajor(atoms, space);
}

/// a·outer + b·inner + offset.
static DimIndex combine(const DimIndex &outer, int64_t a, const DimIndex &inner,
                        int64_t b, int64_t offset) {
  DimIndex result;
  result.offset = offset + a * outer.offset + b * inner.offset;
  for (auto [index, factor] : {std::pair(&outer, a), std::pair(&inner, b)})
    for (Term term : index->terms) {
      term.coefficient *= factor;
      result.terms.push_back(term);
    }
  return result;
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<ShapedType>(value.getType()).getShape();
}

static std::optional<Loops> loopsOfDot(sh::DotGeneralOp dot,
                                       ArrayRef<SmallVector<int64_t>> parts) {
  ArrayRef<int64_t> lhs = shapeOf(dot.getLhs()), rhs = shapeOf(dot.getRhs());
  auto numbers = dot.getDotDimensionNumbers();
  Loops loops;
  auto loop = [&](Role role, int64_t size) {
    return loops.add(role, size, parts);
  };
  loops.lhs.resize(lhs.size());
  loops.rhs.resize(rhs.size());
  SmallVector<bool> lhsDone(lhs.size()), rhsDone(rhs.size());
  for (auto [l, r] : llvm::zip_equal(numbers.getLhsBatchingDimensions(),
                                     numbers.getRhsBatchingDimensions())) {
    loops.lhs[l] = loops.rhs[r] = loop(Role::Batch, lhs[l]);
    lhsDone[l] = rhsDone[r] = true;
    loops.result.push_back(loops.lhs[l]);
  }
  SmallVector<std::pair<int64_t, int64_t>> contracted;
  for (auto [l, r] : llvm::zip_equal(numbers.getLhsContractingDimensions(),
                                     numbers.getRhsContractingDimensions())) {
    contracted.push_back({l, r});
    lhsDone[l] = rhsDone[r] = true;
  }
  for (unsigned d = 0; d < lhs.size(); ++d)
    if (!lhsDone[d])
      loops.result.push_back(loops.lhs[d] = loop(Role::M, lhs[d]));
  for (unsigned d = 0; d < rhs.size(); ++d)
    if (!rhsDone[d])
      loops.result.push_back(loops.rhs[d] = loop(Role::N, rhs[d]));
  // In lhs's order, so that neighbours in memory are neighbouring loops.
  llvm::sort(contracted);
  for (auto [l, r] : contracted)
    loops.lhs[l] = loops.rhs[r] = loop(Role::K, lhs[l]);
  return loops;
}

static std::optional<Loops>
loopsOfConvolution(sh::ConvolutionOp conv,
                   ArrayRef<SmallVector<int64_t>> parts) {
  auto numbers = conv.getDimensionNumbers();
  ArrayRef<int64_t> lhs = shapeOf(conv.getLhs()), rhs = shapeOf(conv.getRhs());
  ArrayRef<int64_t> out = shapeOf(conv.getResult());
  unsigned spatial = numbers.getInputSpatialDimensions().size();
  auto at = [](std::optional<ArrayRef<int64_t>> values, unsigned i,
               int64_t otherwise) {
    return values && !values->empty() ? (*values)[i] : otherwise;
  };
  for (unsigned i = 0; i < spatial; ++i)
    if (at(conv.getLhsDilation(), i, 1) != 1)
      return std::nullopt;

  Loops loops;
  auto loop = [&](Role role, int64_t size) {
    return loops.add(role, size, parts);
  };
  loops.lhs.resize(lhs.size());
  loops.rhs.resize(rhs.size());
  loops.result.resize(out.size());
  int64_t groups = conv.getFeatureGroupCount();
  int64_t batchGroups = conv.getBatchGroupCount();
  int64_t features = rhs[numbers.getKernelInputFeatureDimension()];
  int64_t outFeatures =
      rhs[numbers.getKernelOutputFeatureDimension()] / (groups * batchGroups);
  int64_t batch = out[numbers.getOutputBatchDimension()];
  DimIndex group = loop(Role::Batch, groups * batchGroups);
  DimIndex image = loop(Role::M, batch);
  SmallVector<DimIndex> outer, window;
  for (unsigned i = 0; i < spatial; ++i)
    outer.push_back(
        loop(Role::M, out[numbers.getOutputSpatialDimensions()[i]]));
  DimIndex outFeature = loop(Role::N, outFeatures);
  for (unsigned i = 0; i < spatial; ++i)
    window.push_back(
        loop(Role::K, rhs[numbers.getKernelSpatialDimensions()[i]]));
  DimIndex feature = loop(Role::K, features);

  bool grouped = groups > 1;
  loops.lhs[numbers.getInputBatchDimension()] =
      grouped ? image : combine(group, batch, image, 1, 0);
  loops.lhs[numbers.getInputFeatureDimension()] =
      grouped ? combine(group, features, feature, 1, 0) : feature;
  loops.rhs[numbers.getKernelInputFeatureDimension()] = feature;
  loops.rhs[numbers.getKernelOutputFeatureDimension()] =
      combine(group, outFeatures, outFeature, 1, 0);
  loops.result[numbers.getOutputBatchDimension()] = image;
  loops.result[numbers.getOutputFeatureDimension()] =
      combine(group, outFeatures, outFeature, 1, 0);
  for (unsigned i = 0; i < spatial; ++i) {
    int64_t stride = at(conv.getWindowStrides(), i, 1);
    int64_t dilation = at(conv.getRhsDilation(), i, 1);
    int64_t low = 0, high = 0;
    if (auto padding = conv.getPadding()) {
      low = padding->getValues<int64_t>()[2 * i];
      high = padding->getValues<int64_t>()[2 * i + 1];
    }
    loops.padded |= low != 0 || high != 0;
    unsigned input = numbers.getInputSpatialDimensions()[i];
    loops.lhs[input] = combine(outer[i], stride, window[i], dilation, -low);
    unsigned kernel = numbers.getKernelSpatialDimensions()[i];
    loops.rhs[kernel] = window[i];
    if (auto reversal = conv.getWindowReversal(); reversal && (*reversal)[i])
      loops.rhs[kernel] =
          combine(DimIndex(), 1, window[i], -1, rhs[kernel] - 1);
    loops.result[numbers.getOutputSpatialDimensions()[i]] = outer[i];
  }
  return loops;
}

std::optional<Loops>
contraction::loopsOf(Operation *root, ArrayRef<SmallVector<int64_t>> parts) {
  for (Value value :
       {root->getOperand(0), root->getOperand(1), Value(root->getResult(0))}) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !type.hasStaticShape() || type.getNumElements() == 0)
      return std::nullopt;
  }
  if (auto dot = dyn_cast<sh::DotGeneralOp>(root))
    return loopsOfDot(dot, parts);
  if (auto conv = dyn_cast<sh::ConvolutionOp>(root))
    return loopsOfConvolution(conv, parts);
  return std::nullopt;
}
