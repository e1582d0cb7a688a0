// Parts of tensors as tiles: views, offsets, loads, scalar regions.

#include "TileAccess.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::contraction;

namespace sh = mlir::stablehlo;

TileView TileBuilder::makeView(Value base, int64_t start,
                               ArrayRef<MemoryDim> memory,
                               ArrayRef<unsigned> atoms,
                               ArrayRef<int64_t> tiles) {
  TileView result;
  SmallVector<const MemoryDim *> ofAtom(atoms.size(), nullptr);
  SmallVector<const MemoryDim *> others;
  for (const MemoryDim &dim : memory) {
    bool placed = false;
    for (auto [i, atom] : llvm::enumerate(atoms))
      for (const Term &term : dim.index.terms)
        if (term.atom == atom && tiles[i] > 1) {
          ofAtom[i] = &dim;
          placed = true;
        }
    if (!placed)
      others.push_back(&dim);
  }
  auto add = [&](int64_t size, int64_t stride, DimIndex index, int64_t tile,
                 bool inBounds) {
    result.shape.push_back(size);
    result.strides.push_back(stride);
    result.indices.push_back(std::move(index));
    result.tile.push_back(tile);
    result.inBounds.push_back(inBounds);
  };
  for (const MemoryDim *dim : others)
    add(dim->size, dim->stride, dim->index, 1, dim->atom.has_value());
  result.prefix = others.size();
  for (auto [i, dim] : llvm::enumerate(ofAtom))
    if (dim)
      add(dim->size, dim->stride, dim->index, tiles[i],
          dim->atom && dim->size % tiles[i] == 0);
    else
      add(1, 0, DimIndex(), 1, true);
  auto baseType = cast<tile::ViewType>(base.getType());
  auto type = tile::ViewType::get(builder.getContext(), result.shape,
                                  baseType.getElementType(), result.strides);
  result.view = tile::ViewOp::create(builder, loc, type, base, Value(),
                                     builder.getI64IntegerAttr(start));
  return result;
}

Index32 TileBuilder::indexOf(const DimIndex &dim, const Starts &starts) {
  Index32 sum(dim.offset);
  for (const Term &term : dim.terms)
    sum = index.add(index.mul(starts[term.atom], term.coefficient), sum);
  return sum;
}

void TileBuilder::offsets(const TileView &view, const Starts &starts,
                          ArrayRef<int64_t> inside,
                          SmallVectorImpl<Value> &values,
                          SmallVectorImpl<int64_t> &divisible) {
  for (auto [d, dim] : llvm::enumerate(view.indices)) {
    Index32 offset = indexOf(dim, starts);
    if (d >= view.prefix && view.tile[d] > 1 && !inside.empty())
      offset = index.add(offset, Index32(inside[d - view.prefix]));
    values.push_back(index.get(offset));
    divisible.push_back(std::max<int64_t>(1, offset.divisible()));
  }
}

Value TileBuilder::reshape(Value tile, ArrayRef<int64_t> shape) {
  auto from = cast<RankedTensorType>(tile.getType());
  if (from.getShape() == shape)
    return tile;
  LinearLayout layout = reshapeLayout(tile::getLayout(tile).getMap(), shape);
  return tile::ReshapeOp::create(
      builder, loc, tileType(shape, from.getElementType(), layout), tile);
}

Value TileBuilder::convertLayout(Value tile, const LinearLayout &layout) {
  auto from = cast<RankedTensorType>(tile.getType());
  if (tile::getLayout(tile).getMap() == layout)
    return tile;
  return tile::ConvertLayoutOp::create(
      builder, loc, tileType(from.getShape(), from.getElementType(), layout),
      tile);
}

/// The block of a region of scalars, with arguments of these element types.
static Block *scalarBlock(OpBuilder &builder, Location loc, Region &region,
                          ArrayRef<Type> elements) {
  Block *block =
      region.empty() ? builder.createBlock(&region) : &region.front();
  for (Type element : elements)
    block->addArgument(RankedTensorType::get({}, element), loc);
  builder.setInsertionPointToEnd(block);
  return block;
}

static Type elementOf(Value tile) {
  return cast<RankedTensorType>(tile.getType()).getElementType();
}

Value TileBuilder::apply(ArrayRef<Value> inputs,
                         llvm::function_ref<Value(ArrayRef<Value>)> body) {
  auto map =
      tile::MapOp::create(builder, loc, TypeRange(inputs[0].getType()), inputs);
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> elements;
  for (Value input : inputs)
    elements.push_back(elementOf(input));
  Block *block = scalarBlock(builder, loc, map->getRegion(0), elements);
  SmallVector<Value> scalars(block->getArguments());
  Value result = body(scalars);
  tile::YieldOp::create(builder, loc, ValueRange(result));
  auto type = cast<RankedTensorType>(inputs[0].getType());
  map->getResult(0).setType(RankedTensorType::get(
      type.getShape(), elementOf(result), type.getEncoding()));
  return map->getResult(0);
}

Value TileBuilder::reduce(Value tile, unsigned axis, bool isMax) {
  auto type = cast<RankedTensorType>(tile.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] = 1;
  auto result = RankedTensorType::get(shape, type.getElementType(),
                                      tile::getLayout(tile).restrictTo(shape));
  auto reduce = tile::ReduceOp::create(builder, loc, TypeRange(result),
                                       ValueRange(tile), axis, false);
  OpBuilder::InsertionGuard guard(builder);
  Block *block = scalarBlock(builder, loc, reduce->getRegion(0),
                             {type.getElementType(), type.getElementType()});
  Value a = block->getArgument(0), b = block->getArgument(1);
  Value combined = isMax ? Value(sh::MaxOp::create(builder, loc, a, b))
                         : Value(sh::AddOp::create(builder, loc, a, b));
  tile::YieldOp::create(builder, loc, ValueRange(combined));
  return reduce->getResult(0);
}

Value TileBuilder::broadcastRows(Value column, Value like) {
  auto type = cast<RankedTensorType>(like.getType());
  return tile::BroadcastOp::create(builder, loc,
                                   RankedTensorType::get(type.getShape(),
                                                         elementOf(column),
                                                         type.getEncoding()),
                                   column);
}

Value TileBuilder::load(const TileView &view, const Starts &starts,
                        ArrayRef<int64_t> inside, ArrayRef<int64_t> shape,
                        const LinearLayout &layout) {
  SmallVector<Value> values;
  SmallVector<int64_t> divisible, wide(view.prefix, 1), narrow(view.prefix, 1);
  offsets(view, starts, inside, values, divisible);
  wide.append(shape.begin(), shape.end());
  for (auto [i, size] : llvm::enumerate(shape))
    narrow.push_back(view.tile[view.prefix + i] > 1 ? size : 1);
  // The small tile's layout is the whole one's, restricted.
  tile::LayoutAttr small =
      layoutAttr(reshapeLayout(layout, wide)).restrictTo(narrow);
  Type element = view.type().getElementType();
  Value tile = tile::LoadOp::create(
      builder, loc, RankedTensorType::get(narrow, element, small), view.view,
      values, Value(), TypedAttr(),
      builder.getDenseBoolArrayAttr(view.inBounds),
      builder.getDenseI64ArrayAttr(divisible));
  if (narrow != wide)
    tile = tile::BroadcastOp::create(
        builder, loc, tileType(wide, element, reshapeLayout(layout, wide)),
        tile);
  return reshape(tile, shape);
}

Value TileBuilder::map(const Expression &expression, Type resultType,
                       ArrayRef<unsigned> atoms, ArrayRef<int64_t> shape,
                       ArrayRef<int64_t> inside, const Starts &starts,
                       const LinearLayout &layout,
                       llvm::function_ref<Value(unsigned)> leafTile, Value root,
                       const Mask &mask, Value partner) {
  SmallVector<Value> inputs;
  Type i32 = builder.getI32Type();
  LinearLayout whole = reshapeLayout(layout, shape);
  // Inputs: the roots, the leaves; for an iota its base, then a counter for
  // each atom that it depends on; counters for masks.
  auto counter = [&](unsigned atom) -> Value {
    for (auto [i, known] : llvm::enumerate(atoms))
      if (known == atom && shape[i] > 1)
        return tile::IotaOp::create(builder, loc, tileType(shape, i32, whole),
                                    i, Value());
    return nullptr;
  };
  auto insideOf = [&](unsigned atom) -> int64_t {
    for (auto [i, known] : llvm::enumerate(atoms))
      if (known == atom && !inside.empty())
        return inside[i];
    return 0;
  };
  auto splat = [&](Index32 value) -> Value {
    return tile::SplatOp::create(builder, loc, tileType(shape, i32, whole),
                                 index.get(value));
  };
  SmallVector<unsigned> first;
  for (Value tile : {root, partner})
    if (tile)
      inputs.push_back(reshape(tile, shape));
  for (auto [i, leaf] : llvm::enumerate(expression.leaves)) {
    first.push_back(inputs.size());
    if (!leaf.isIota) {
      inputs.push_back(leafTile(i));
      continue;
    }
    const DimIndex &dim = leaf.memory[0].index;
    Index32 base = indexOf(dim, starts);
    for (const Term &term : dim.terms)
      base = index.add(base, Index32(insideOf(term.atom) * term.coefficient));
    inputs.push_back(splat(base));
    for (const Term &term : dim.terms)
      if (Value tile = counter(term.atom))
        inputs.push_back(tile);
  }
  unsigned firstMask = inputs.size();
  for (unsigned atom : mask.atoms) {
    Index32 base = index.add(starts[atom], Index32(insideOf(atom)));
    inputs.push_back(splat(base));
    Value tile = counter(atom);
    inputs.push_back(tile ? tile : splat(0));
  }
  if (inputs.empty())
    inputs.push_back(splat(0));

  auto map = tile::MapOp::create(
      builder, loc, TypeRange(tileType(shape, resultType, whole)), inputs);
  Region &region = map->getRegion(0);
  OpBuilder::InsertionGuard guard(builder);
  Block *block =
      region.empty() ? builder.createBlock(&region) : &region.front();
  builder.setInsertionPointToEnd(block);
  auto scalarType = [](Type element) {
    return RankedTensorType::get({}, element);
  };
  for (Value input : inputs)
    block->addArgument(
        scalarType(cast<RankedTensorType>(input.getType()).getElementType()),
        loc);
  auto convert = [&](Value value, Type to) -> Value {
    if (cast<ShapedType>(value.getType()).getElementType() == to)
      return value;
    return sh::ConvertOp::create(builder, loc, scalarType(to), value);
  };
  auto constant = [&](Attribute value, Type type) -> Value {
    return sh::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(scalarType(type), value));
  };

  Value rootScalar, partnerScalar;
  if (root)
    rootScalar = block->getArgument(0);
  if (partner)
    partnerScalar = block->getArgument(root ? 1 : 0);
  auto leaf = [&](unsigned i) -> Value {
    const Leaf &leaf = expression.leaves[i];
    Value value = block->getArgument(first[i]);
    if (!leaf.isIota)
      return value;
    unsigned next = first[i] + 1;
    for (const Term &term : leaf.memory[0].index.terms) {
      bool counts = false;
      for (auto [k, atom] : llvm::enumerate(atoms))
        counts |= atom == term.atom && shape[k] > 1;
      if (!counts)
        continue;
      Value part = block->getArgument(next++);
      if (term.coefficient != 1)
        part = sh::MulOp::create(
            builder, loc, part,
            constant(builder.getI32IntegerAttr(term.coefficient), i32));
      value = sh::AddOp::create(builder, loc, value, part);
    }
    return convert(value, leaf.elementType());
  };
  Value value = emitScalar(builder, contraction, expression, leaf, rootScalar,
                           partnerScalar);
  value = convert(value, resultType);
  for (auto [i, atom] : llvm::enumerate(mask.atoms)) {
    Value position =
        sh::AddOp::create(builder, loc, block->getArgument(firstMask + 2 * i),
                          block->getArgument(firstMask + 2 * i + 1));
    Value size =
        constant(builder.getI32IntegerAttr(contraction.space[atom].size), i32);
    Value in = sh::CompareOp::create(builder, loc, position, size,
                                     sh::ComparisonDirection::LT);
    value = sh::SelectOp::create(builder, loc, in, value,
                                 constant(mask.value, resultType));
  }
  tile::YieldOp::create(builder, loc, ValueRange(value));
  return map->getResult(0);
}
