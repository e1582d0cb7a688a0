// A sort along a cut dimension. Each device sorts its part; then all look for
// the places at which the sorted parts must be divided so that every device
// gets exactly its block of the result (a binary search for each pair of part
// and boundary, all at once: in each round a few elements are gathered and
// everyone counts how many of its own come before them); then the pieces are
// exchanged and sorted once more.
//
// Elements that the comparator takes as equal are ordered by part and place, so
// the result is that of a stable sort, and padding, marked by an operand of its
// own, comes last whatever the comparator does.

#include "Partitioner.h"

#include "dialects/Comm/Comm.h"
#include "dialects/StableHLO/StableHLO.h"
#include "shoal/Analysis/OrderedForms.h"

using namespace mlir;
using namespace shoal;
namespace sh = mlir::stablehlo;

namespace {
class SortExchange {
public:
  SortExchange(sh::SortOp sort, int64_t size, int64_t block,
               ArrayRef<uint8_t> atoms, MeshModel &mesh, LocalBuilder &b)
      : sort(sort), size(size), block(block), mesh(mesh), b(b),
        parts(partCount(atoms, mesh.atoms())), i32(b.getI32Type()) {
    groups = comm::GroupsAttr::get(mesh.meshRef(), mesh.toAxes(atoms));
    me = b.axisIndex(atoms);
    provenance = b.getArrayAttr({Attribute(LocationAttr(sort.getLoc()))});
    if (parts * block != size) {
      Value rest = b.sub(number(size), b.mul(me, number(block)));
      padding = b.compare(LocalBuilder::Compare::GE, b.iota({block}, 0, i32),
                          b.broadcast(rest, {block}));
    }
  }

  /// `values`: this device's part of each operand, of rank 1.
  SmallVector<Value> run(SmallVector<Value> values) {
    values = sortPart(values);
    Value cuts = divide(values);
    exchange(values, cuts);
    return sortPart(values);
  }

private:
  sh::SortOp sort;
  int64_t size, block;
  MeshModel &mesh;
  LocalBuilder &b;
  int64_t parts;
  Type i32;
  comm::GroupsAttr groups;
  Value me, padding;
  ArrayAttr provenance;

  Value number(int64_t value) { return b.scalarInt(value, i32); }
  Value reshape(Value value, ArrayRef<int64_t> shape) {
    return sh::ReshapeOp::create(
        b, b.loc(), b.tensorType(shape, b.elementOf(value)), value);
  }
  StringAttr why(StringRef text) { return b.getStringAttr(text); }

  SmallVector<Value> sortPart(SmallVector<Value> values) {
    if (padding)
      values.push_back(padding);
    SmallVector<Type> types(ValueRange(values).getTypes());
    auto local = sh::SortOp::create(
        b, b.loc(), types, values, b.getI64IntegerAttr(0), b.getBoolAttr(true));
    Region &from = sort.getComparator(), &to = local.getComparator();
    IRMapping mapping;
    from.cloneInto(&to, mapping);
    if (padding) {
      OpBuilder::InsertionGuard guard(b);
      Block &body = to.front();
      Type flag = b.tensorType({}, b.getI1Type());
      Value x = body.addArgument(flag, b.loc());
      Value y = body.addArgument(flag, b.loc());
      Operation *end = body.getTerminator();
      b.setInsertionPoint(end);
      Value either = sh::OrOp::create(b, b.loc(), flag, x, y);
      Value real = sh::NotOp::create(b, b.loc(), flag, x);
      end->setOperand(
          0, b.select(either, b.logicalAnd(real, y), end->getOperand(0)));
    }
    SmallVector<Value> results(local.getResults());
    if (padding)
      results.pop_back();
    return results;
  }

  /// Elements at the given places (rank 1) of a tensor of rank 1.
  Value at(Value values, Value places) {
    int64_t count = typeOf(places).getDimSize(0);
    auto numbers = sh::GatherDimensionNumbersAttr::get(
        b.getContext(), /*offsetDims=*/{}, /*collapsedSliceDims=*/{0},
        /*operandBatchingDims=*/{}, /*startIndicesBatchingDims=*/{},
        /*startIndexMap=*/{0}, /*indexVectorDim=*/1);
    return sh::GatherOp::create(
        b, b.loc(), b.tensorType({count}, b.elementOf(values)), values,
        reshape(places, {count, 1}), numbers, ArrayRef<int64_t>{1}, false);
  }

  /// Row `me` of a matrix that all devices have.
  Value ownRow(Value matrix) {
    int64_t width = typeOf(matrix).getDimSize(1);
    Value row = sh::DynamicSliceOp::create(
        b, b.loc(), b.tensorType({1, width}, b.elementOf(matrix)), matrix,
        ValueRange{me, number(0)}, ArrayRef<int64_t>{1, width});
    return reshape(row, {width});
  }

  /// How many elements each part holds.
  Value counts(int64_t width) {
    SmallVector<int32_t> list;
    for (int64_t k = 0; k < parts; ++k)
      list.push_back(std::clamp<int64_t>(size - k * block, 0, block));
    auto type = b.tensorType({parts}, i32);
    Value value = sh::ConstantOp::create(b, b.loc(), type,
                                         DenseIntElementsAttr::get(type, list));
    return b.broadcast(value, {parts, width}, {0});
  }

  /// For part k and boundary j (the first element of block j + 1 of the
  /// result), how many elements of the part lie before it: i32[parts, parts-1],
  /// the same on all devices.
  Value divide(ArrayRef<Value> values) {
    int64_t width = parts - 1, all = parts * width;
    SmallVector<int64_t> shape = {parts, width};
    auto matrix = b.tensorType(shape, i32);
    Value bounds =
        b.mul(b.add(b.iota(shape, 1, i32), b.broadcast(number(1), shape)),
              b.broadcast(number(block), shape));
    SmallVector<Value> inits = {number(0), b.zeros(matrix), counts(width)};
    SmallVector<Type> types(ValueRange(inits).getTypes());
    OperationState state(b.loc(), sh::WhileOp::getOperationName());
    state.addOperands(inits);
    state.addTypes(types);
    int64_t rounds = exchangeRounds(block);
    state.addAttribute("shoal.trip_count", b.getI64IntegerAttr(rounds));
    Region *condition = state.addRegion(), *body = state.addRegion();
    SmallVector<Location> locs(3, b.loc());
    {
      OpBuilder::InsertionGuard guard(b);
      Block *test = b.createBlock(condition, {}, types, locs);
      sh::ReturnOp::create(b, b.loc(),
                           b.compare(LocalBuilder::Compare::LT,
                                     test->getArgument(0), number(rounds)));
      Block *step = b.createBlock(body, {}, types, locs);
      Value low = step->getArgument(1), high = step->getArgument(2);
      Value two = b.broadcast(number(2), shape);
      Value middle =
          sh::DivOp::create(b, b.loc(), matrix, b.add(low, high), two);
      // A finished search may stand at the end: its answer is not used.
      Value places = b.clamp(number(0), ownRow(middle), number(block - 1));
      SmallVector<int64_t> grid = {all, block};
      SmallVector<Value> forth, back;
      for (auto [i, value] : llvm::enumerate(values)) {
        if (!comparatorUses(sort, i)) {
          forth.append(2, Value());
          back.append(2, Value());
          continue;
        }
        Value looked = comm::AllGatherOp::create(
            b, b.loc(), b.tensorType({all}, b.elementOf(value)),
            at(value, places), 0, groups,
            why("elements at which stablehlo.sort may divide its parts"),
            provenance);
        Value mine = b.broadcast(value, grid, {1});
        looked = b.broadcast(looked, grid, {0});
        forth.append({mine, looked});
        back.append({looked, mine});
      }
      Value before = inlineBody(sort.getComparator(), forth, b)[0];
      Value after = inlineBody(sort.getComparator(), back, b)[0];
      // Equal: by part, within it by place.
      Value query = b.iota({all}, 0, i32);
      Value owner = sh::DivOp::create(b, b.loc(), query.getType(), query,
                                      b.broadcast(number(width), {all}));
      Value mine = b.broadcast(me, {all});
      Value lowerPart = b.compare(LocalBuilder::Compare::LT, mine, owner);
      Value samePart = b.compare(LocalBuilder::Compare::EQ, mine, owner);
      Value lowerPlace =
          b.compare(LocalBuilder::Compare::LT,
                    b.broadcast(b.iota({block}, 0, i32), grid, {1}),
                    b.broadcast(reshape(middle, {all}), grid, {0}));
      auto gridBits = b.tensorType(grid, b.getI1Type());
      Value first = sh::OrOp::create(
          b, b.loc(), gridBits, b.broadcast(lowerPart, grid, {0}),
          b.logicalAnd(b.broadcast(samePart, grid, {0}), lowerPlace));
      Value differ = sh::XorOp::create(b, b.loc(), gridBits, before, after);
      Value precedes = b.select(differ, before, first);
      if (padding) {
        Value count = ownRow(counts(1));
        Value real =
            b.compare(LocalBuilder::Compare::LT, b.iota({block}, 0, i32),
                      b.broadcast(reshape(count, {}), {block}));
        precedes = b.logicalAnd(precedes, b.broadcast(real, grid, {1}));
      }
      Value ranks = sumAlong(b.convert(precedes, i32), 1);
      ranks = comm::AllReduceOp::create(
          b, b.loc(), ranks.getType(), ReductionKind::Add, ranks, groups,
          why("ranks of elements at which stablehlo.sort may divide its parts"),
          provenance);
      Value isLeft =
          b.compare(LocalBuilder::Compare::LT, reshape(ranks, shape), bounds);
      Value open = b.compare(LocalBuilder::Compare::LT, low, high);
      Value up = b.add(middle, b.broadcast(number(1), shape));
      SmallVector<Value> next = {
          b.add(step->getArgument(0), number(1)),
          b.select(b.logicalAnd(open, isLeft), up, low),
          b.select(isLeft, high, b.select(open, middle, high))};
      sh::ReturnOp::create(b, b.loc(), next);
    }
    return b.create(state)->getResult(1);
  }

  Value sumAlong(Value value, int64_t dim) {
    SmallVector<int64_t> shape(typeOf(value).getShape());
    shape.erase(shape.begin() + dim);
    Type element = b.elementOf(value);
    OperationState state(b.loc(), sh::ReduceOp::getOperationName());
    state.addOperands({value, b.scalarInt(0, element)});
    state.addTypes(b.tensorType(shape, element));
    state.addAttribute("dimensions", b.getDenseI64ArrayAttr({dim}));
    Region *region = state.addRegion();
    {
      OpBuilder::InsertionGuard guard(b);
      Type scalar = b.tensorType({}, element);
      Block *body =
          b.createBlock(region, {}, {scalar, scalar}, {b.loc(), b.loc()});
      sh::ReturnOp::create(b, b.loc(),
                           b.add(body->getArgument(0), body->getArgument(1)));
    }
    return b.create(state)->getResult(0);
  }

  void exchange(SmallVectorImpl<Value> &values, Value cuts) {
    // Offsets of the pieces in each part, and their sizes: [part, receiver].
    Value starts = sh::ConcatenateOp::create(
        b, b.loc(), b.tensorType({parts, parts}, i32),
        ValueRange{b.zeros(b.tensorType({parts, 1}, i32)), cuts}, 1);
    Value ends =
        sh::ConcatenateOp::create(b, b.loc(), b.tensorType({parts, parts}, i32),
                                  ValueRange{cuts, counts(1)}, 1);
    Value sizes = b.sub(ends, starts);
    // A piece lies behind those of the parts before.
    Value earlier =
        b.compare(LocalBuilder::Compare::LT, b.iota({parts}, 0, i32),
                  b.broadcast(me, {parts}));
    SmallVector<int64_t> square = {parts, parts};
    Value behind = sumAlong(b.select(b.broadcast(earlier, square, {0}), sizes,
                                     b.zeros(b.tensorType(square, i32))),
                            0);
    Value column = sh::DynamicSliceOp::create(
        b, b.loc(), b.tensorType({parts, 1}, i32), sizes,
        ValueRange{number(0), me}, ArrayRef<int64_t>{parts, 1});
    Value from = ownRow(starts), sent = ownRow(sizes);
    Value received = reshape(column, {parts});
    for (Value &value : values)
      value = comm::RaggedAllToAllOp::create(
          b, b.loc(), value.getType(), value, b.zeros(typeOf(value)), from,
          sent, behind, received, groups,
          why("pieces of sorted parts that stablehlo.sort exchanges"),
          provenance);
  }
};
} // namespace

SmallVector<Value> OpLowering::lowerSort(ArrayRef<Value> operands, int64_t f) {
  auto sort = cast<sh::SortOp>(op);
  int64_t dim = model.getRule().operands[0].findDim(f);
  int64_t block = blockOf(0, dim);
  SmallVector<Value> values;
  auto reshape = [&](Value value, Type type) -> Value {
    return value.getType() == type
               ? value
               : sh::ReshapeOp::create(b, b.loc(), type, value);
  };
  for (Value operand : operands)
    values.push_back(
        reshape(operand, b.tensorType({block}, b.elementOf(operand))));
  SortExchange exchange(sort, model.shape(0)[dim], block, atomsOf(0, dim), mesh,
                        b);
  SmallVector<Value> results = exchange.run(values);
  for (auto [result, type] : llvm::zip_equal(results, localResultTypes()))
    result = reshape(result, type);
  return results;
}
