// One copy of a manual region's body per shard.
#include "ManualUnroller.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace shoal;

Shards::Shards(SmallVector<Value> perCell) : values(std::move(perCell)) {
  if (!values.empty() && llvm::all_equal(values))
    values.resize(1);
}

//===----------------------------------------------------------------------===//
// The grid
//===----------------------------------------------------------------------===//

CellGrid::CellGrid(MeshAttr mesh, ArrayRef<StringRef> axes)
    : mesh(mesh), axes(axes) {
  for (StringRef axis : axes)
    count *= mesh.getAxisSize(axis);
  positions.resize(count);
  for (int64_t cell = 0; cell < count; ++cell) {
    // Index along each manual axis, then the position they make.
    llvm::StringMap<int64_t> index;
    int64_t rest = cell;
    for (StringRef axis : llvm::reverse(axes)) {
      index[axis] = rest % mesh.getAxisSize(axis);
      rest /= mesh.getAxisSize(axis);
    }
    int64_t position = 0;
    for (MeshAxisAttr axis : mesh.getAxes())
      position = position * axis.getSize() + index.lookup(axis.getName());
    positions[cell] = position;
  }
}

int64_t CellGrid::getCell(int64_t position) const {
  SmallVector<int64_t> coordinates = mesh.getCoordinates(position);
  int64_t cell = 0;
  for (StringRef axis : axes)
    cell = cell * mesh.getAxisSize(axis) + coordinates[mesh.getAxisIndex(axis)];
  return cell;
}

FailureOr<SmallVector<SmallVector<int64_t>>>
CellGrid::getGroups(comm::GroupsAttr groups, Operation *op) const {
  if (!groups.isTable())
    for (AxisRefAttr axis : groups.getAxes())
      if (!hasAxis(axis.getName())) {
        op->emitError("a collective in a manual region over axis \"")
            << axis.getName() << "\", which is not manual there";
        return failure();
      }
  SmallVector<SmallVector<int64_t>> result;
  llvm::SmallDenseSet<int64_t> seen;
  for (ArrayRef<int64_t> devices : groups.getDeviceGroups(op)) {
    SmallVector<int64_t> cells;
    for (int64_t device : devices) {
      int64_t position = mesh.getPosition(device);
      if (position < 0) {
        op->emitError("a collective names device ")
            << device << ", which the mesh does not have";
        return failure();
      }
      cells.push_back(getCell(position));
    }
    // Groups that differ only along axes that are not manual are one here.
    if (cells.empty() || seen.contains(cells.front()))
      continue;
    for (int64_t cell : cells)
      if (!seen.insert(cell).second) {
        op->emitError("a collective's groups overlap, or span an axis that is "
                      "not manual in this region");
        return failure();
      }
    result.push_back(std::move(cells));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Which values differ between cells
//===----------------------------------------------------------------------===//

bool shoal::needsAllCells(Operation *op) {
  return isa<comm::CollectiveOpInterface, comm::AllSliceOp, ManualOp>(op);
}

static bool containsAllCellsOp(Operation *op) {
  return op
      ->walk([](Operation *nested) {
        return needsAllCells(nested) ? WalkResult::interrupt()
                                     : WalkResult::advance();
      })
      .wasInterrupted();
}

/// True if something under `op` is another constant in every cell.
static bool containsCellConstant(Operation *op) {
  return op
      ->walk([](Operation *nested) {
        return isa<comm::AxisIndexOp, stablehlo::PartitionIdOp>(nested)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

bool ManualUnroller::analyzeOnce(Block &block) {
  bool changed = false;
  auto mark = [&](Value value) { changed |= varying.insert(value).second; };
  for (Operation &op : block) {
    bool anyOperand = llvm::any_of(op.getOperands(), [&](Value operand) {
      return varying.contains(operand);
    });
    auto loop = dyn_cast<stablehlo::WhileOp>(op);
    if (loop && containsAllCellsOp(&op)) {
      Operation *yield = loop.getBody().front().getTerminator();
      // Twice: what the body yields reaches its arguments again.
      for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < loop->getNumOperands(); ++i)
          if (varying.contains(loop->getOperand(i)) ||
              varying.contains(yield->getOperand(i)))
            for (Value value : {Value(loop.getCond().getArgument(i)),
                                Value(loop.getBody().getArgument(i)),
                                Value(loop.getResult(i))})
              again |= varying.insert(value).second;
        again |= analyzeOnce(loop.getCond().front());
        again |= analyzeOnce(loop.getBody().front());
        // Cells that stop at different times hold different values.
        if (varying.contains(
                loop.getCond().front().getTerminator()->getOperand(0)))
          for (unsigned i = 0; i < loop->getNumOperands(); ++i)
            for (Value value : {Value(loop.getCond().getArgument(i)),
                                Value(loop.getBody().getArgument(i)),
                                Value(loop.getResult(i))})
              again |= varying.insert(value).second;
        changed |= again;
      }
      continue;
    }
    if (isa<stablehlo::IfOp, stablehlo::CaseOp>(op) &&
        containsAllCellsOp(&op)) {
      for (Region &region : op.getRegions()) {
        changed |= analyzeOnce(region.front());
        Operation *yield = region.front().getTerminator();
        for (unsigned i = 0; i < op.getNumResults(); ++i)
          if (varying.contains(yield->getOperand(i)) || anyOperand)
            mark(op.getResult(i));
      }
      continue;
    }
    if (auto manual = dyn_cast<ManualOp>(op)) {
      bool varies = anyOperand || containsCellConstant(&op);
      manual.getBody().walk(
          [&](Operation *nested) { varies |= needsAllCells(nested); });
      if (varies)
        for (Value result : op.getResults())
          mark(result);
      continue;
    }
    if (auto reduce = dyn_cast<comm::AllReduceOp>(op)) {
      // What all cells reduce together is the same everywhere.
      comm::GroupsAttr groups = reduce.getGroups();
      bool all = !groups.isTable() &&
                 getAxesSize(groups.getAxes(), grid.getMesh()) == grid.size();
      if (anyOperand && !all)
        mark(reduce.getResult());
      continue;
    }
    bool varies =
        anyOperand || isa<comm::AllSliceOp, comm::PermuteOp, comm::HaloOp,
                          comm::ReblockOp, comm::RaggedAllToAllOp>(op);
    if (!varies && op.getNumRegions()) {
      varies = containsCellConstant(&op);
      op.walk([&](Operation *nested) {
        varies |= llvm::any_of(nested->getOperands(), [&](Value operand) {
          return varying.contains(operand);
        });
      });
    } else {
      varies |= isa<comm::AxisIndexOp, stablehlo::PartitionIdOp>(op);
    }
    if (varies)
      for (Value result : op.getResults())
        mark(result);
  }
  return changed;
}

void ManualUnroller::analyze(Block &block) {
  while (analyzeOnce(block))
    ;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

LogicalResult ManualUnroller::run(ManualOp op) {
  MeshAttr mesh;
  for (ShardingAttr sharding :
       llvm::concat<const ShardingAttr>(op.getInShardings().getShardings(),
                                        op.getOutShardings().getShardings()))
    if (!mesh)
      mesh = sharding.getMesh(op);
  SmallVector<StringRef> axes;
  for (Attribute axis : op.getManualAxes())
    axes.push_back(cast<StringAttr>(axis).getValue());
  if (!mesh && !axes.empty())
    return op.emitError("manual region without a mesh");
  if (!mesh)
    mesh = MeshAttr::get(op.getContext(), ArrayRef<MeshAxisAttr>());
  for (StringRef axis : axes)
    if (!mesh.hasAxis(axis))
      return op.emitError("manual axis \"") << axis << "\" is not in the mesh";

  OpBuilder builder(op);
  ManualUnroller unroller(CellGrid(mesh, axes));
  Block &body = op.getBody().front();
  for (auto [argument, input, sharding] :
       llvm::zip(body.getArguments(), op.getInputs(),
                 op.getInShardings().getShardings())) {
    FailureOr<Shards> shards =
        splitIntoCells(input, sharding, unroller.grid, op.getLoc(), builder);
    if (failed(shards))
      return failure();
    unroller.map[argument] = *shards;
    if (!shards->isShared())
      unroller.varying.insert(argument);
  }
  unroller.analyze(body);
  if (failed(unroller.emitBlock(body, builder)))
    return failure();
  SmallVector<Value> results;
  for (auto [value, sharding] :
       llvm::zip(op.getReturn()->getOperands(),
                 op.getOutShardings().getShardings())) {
    FailureOr<Value> joined = joinCells(unroller.map.lookup(value), sharding,
                                        unroller.grid, op.getLoc(), builder);
    if (failed(joined))
      return failure();
    results.push_back(*joined);
  }
  op.replaceAllUsesWith(results);
  op.erase();
  return success();
}

LogicalResult ManualUnroller::emitBlock(Block &block, OpBuilder &builder) {
  for (Operation &op : block.without_terminator())
    if (failed(emitOp(&op, builder)))
      return failure();
  return success();
}

LogicalResult ManualUnroller::emitOp(Operation *op, OpBuilder &builder) {
  if (isa<ConstraintOp, BarrierOp, ReshardOp>(op)) {
    map[op->getResult(0)] = map.lookup(op->getOperand(0));
    return success();
  }
  if (isa<GroupOp>(op))
    return success();
  if (auto nested = dyn_cast<ManualOp>(op))
    return emitNested(nested, builder);
  if (needsAllCells(op)) {
    SmallVector<Shards> operands;
    for (Value operand : op->getOperands()) {
      Shards shards = map.lookup(operand);
      operands.push_back(shards.empty() ? Shards(operand) : shards);
    }
    if (operands.empty() || op->getNumResults() != 1)
      return op->emitError("this collective cannot be run on one device");
    FailureOr<Shards> result = emitCollective(op, operands, grid, builder);
    if (failed(result))
      return failure();
    map[op->getResult(0)] = *result;
    return success();
  }
  if (op->getNumRegions() && containsAllCellsOp(op))
    return emitLockstep(op, builder);
  emitCopies(op, builder);
  return success();
}

/// What a cell constant is for one cell, as an integer.
static std::optional<int64_t>
getCellConstant(Operation *op, const CellGrid &grid, int64_t cell) {
  if (isa<stablehlo::PartitionIdOp>(op))
    return grid.getMesh().getDeviceId(grid.getPosition(cell));
  auto index = dyn_cast<comm::AxisIndexOp>(op);
  if (!index)
    return std::nullopt;
  comm::GroupsAttr groups = index.getGroups();
  if (!groups.isTable())
    return grid.getIndex(cell, groups.getAxes());
  int64_t device = grid.getMesh().getDeviceId(grid.getPosition(cell));
  for (ArrayRef<int64_t> group : groups.getDeviceGroups(op))
    if (const int64_t *found = llvm::find(group, device); found != group.end())
      return found - group.begin();
  return 0;
}

static Value createIntConstant(OpBuilder &builder, Location loc, Type type,
                               int64_t value) {
  auto tensor = cast<RankedTensorType>(type);
  unsigned width = tensor.getElementType().getIntOrFloatBitWidth();
  APInt bits(width, value, /*isSigned=*/false, /*implicitTrunc=*/true);
  return stablehlo::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(tensor,
                             IntegerAttr::get(tensor.getElementType(), bits)));
}

void ManualUnroller::emitCopies(Operation *op, OpBuilder &builder) {
  bool varies = containsCellConstant(op) ||
                llvm::any_of(op->getResults(),
                             [&](Value v) { return varying.contains(v); });
  // Ops without results (checks) and values used in regions only.
  op->walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      if (auto found = map.find(operand); found != map.end())
        varies |= !found->second.isShared();
  });
  int64_t copies = varies ? grid.size() : 1;
  SmallVector<SmallVector<Value>> results(op->getNumResults());
  for (int64_t cell = 0; cell < copies; ++cell) {
    if (std::optional<int64_t> constant = getCellConstant(op, grid, cell)) {
      results[0].push_back(createIntConstant(
          builder, op->getLoc(), op->getResult(0).getType(), *constant));
      continue;
    }
    IRMapping mapping;
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (auto found = map.find(operand); found != map.end())
          mapping.map(operand, found->second[cell]);
    });
    Operation *copy = builder.clone(*op, mapping);
    // Inside regions, constraints go and cell constants become constants.
    copy->walk([&](Operation *nested) {
      if (nested == copy)
        return;
      if (isa<ConstraintOp, BarrierOp, ReshardOp>(nested)) {
        nested->replaceAllUsesWith(nested->getOperands());
        nested->erase();
      } else if (isa<GroupOp>(nested)) {
        nested->erase();
      } else if (std::optional<int64_t> constant =
                     getCellConstant(nested, grid, cell)) {
        OpBuilder inner(nested);
        Value value = createIntConstant(
            inner, nested->getLoc(), nested->getResult(0).getType(), *constant);
        nested->getResult(0).replaceAllUsesWith(value);
        nested->erase();
      }
    });
    for (auto [list, result] : llvm::zip(results, copy->getResults()))
      list.push_back(result);
  }
  for (auto [original, list] : llvm::zip(op->getResults(), results))
    map[original] = Shards(std::move(list));
}

LogicalResult ManualUnroller::emitNested(ManualOp op, OpBuilder &builder) {
  SmallVector<StringRef> axes(grid.getAxes());
  SmallVector<StringRef> innerAxes;
  for (Attribute axis : op.getManualAxes())
    innerAxes.push_back(cast<StringAttr>(axis).getValue());
  llvm::append_range(axes, innerAxes);
  for (StringRef axis : axes)
    if (!grid.getMesh().hasAxis(axis))
      return op.emitError("nested manual regions must use one mesh");
  // Inner axes are minor: the cells of outer cell c are [c·inner, (c+1)·inner).
  CellGrid innerGrid(grid.getMesh(), innerAxes);
  int64_t inner = innerGrid.size(), outer = grid.size();
  ManualUnroller unroller(CellGrid(grid.getMesh(), axes));

  Block &body = op.getBody().front();
  for (auto [argument, input, sharding] :
       llvm::zip(body.getArguments(), op.getInputs(),
                 op.getInShardings().getShardings())) {
    Shards outside = map.lookup(input);
    SmallVector<Value> cells;
    for (int64_t cell = 0; cell < outer; ++cell) {
      if (cell > 0 && outside.isShared()) {
        for (int64_t i = 0; i < inner; ++i) {
          Value shared = cells[i];
          cells.push_back(shared);
        }
        continue;
      }
      FailureOr<Shards> part = splitIntoCells(outside[cell], sharding,
                                              innerGrid, op.getLoc(), builder);
      if (failed(part))
        return failure();
      for (int64_t i = 0; i < inner; ++i)
        cells.push_back((*part)[i]);
    }
    Shards shards(std::move(cells));
    if (!shards.isShared())
      unroller.varying.insert(argument);
    unroller.map[argument] = shards;
  }
  unroller.analyze(body);
  if (failed(unroller.emitBlock(body, builder)))
    return failure();
  for (auto [value, sharding, result] :
       llvm::zip(op.getReturn()->getOperands(),
                 op.getOutShardings().getShardings(), op.getResults())) {
    Shards inside = unroller.map.lookup(value);
    SmallVector<Value> cells;
    for (int64_t cell = 0; cell < outer; ++cell) {
      SmallVector<Value> part;
      for (int64_t i = 0; i < inner; ++i)
        part.push_back(inside[cell * inner + i]);
      FailureOr<Value> joined = joinCells(Shards(std::move(part)), sharding,
                                          innerGrid, op.getLoc(), builder);
      if (failed(joined))
        return failure();
      cells.push_back(*joined);
    }
    map[result] = Shards(std::move(cells));
  }
  return success();
}

LogicalResult ManualUnroller::emitRegion(Region &from, Region &to,
                                         ArrayRef<bool> varyingArguments,
                                         ArrayRef<bool> varyingResults,
                                         OpBuilder &builder) {
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&to);
  for (auto [argument, varies] :
       llvm::zip(from.getArguments(), varyingArguments)) {
    SmallVector<Value> cells;
    for (int64_t i = 0, e = varies ? grid.size() : 1; i < e; ++i)
      cells.push_back(
          block->addArgument(argument.getType(), argument.getLoc()));
    map[argument] = Shards(std::move(cells));
  }
  if (failed(emitBlock(from.front(), builder)))
    return failure();
  Operation *terminator = from.front().getTerminator();
  SmallVector<Value> results;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    // The condition of a loop is the first cell's.
    bool varies = index < varyingResults.size() && varyingResults[index];
    Shards shards = map.lookup(value);
    if (shards.empty())
      shards = Shards(value);
    for (int64_t i = 0, e = varies ? grid.size() : 1; i < e; ++i)
      results.push_back(shards[i]);
  }
  stablehlo::ReturnOp::create(builder, terminator->getLoc(), results);
  return success();
}

LogicalResult ManualUnroller::emitDivergentBranches(Operation *op,
                                                    OpBuilder &builder) {
  Location loc = op->getLoc();
  Shards predicate = map.lookup(op->getOperand(0));
  SmallVector<SmallVector<Shards>> branches;
  for (Region &region : op->getRegions()) {
    if (failed(emitBlock(region.front(), builder)))
      return failure();
    SmallVector<Shards> &yields = branches.emplace_back();
    for (Value value : region.front().getTerminator()->getOperands()) {
      Shards shards = map.lookup(value);
      yields.push_back(shards.empty() ? Shards(value) : shards);
    }
  }
  // The last branch is for every index that names no other.
  bool isIf = isa<stablehlo::IfOp>(op);
  size_t count = branches.size();
  SmallVector<SmallVector<Value>> results(op->getNumResults());
  for (int64_t cell = 0; cell < grid.size(); ++cell) {
    SmallVector<Value> chosen;
    for (const Shards &yield : branches[count - 1])
      chosen.push_back(yield[cell]);
    for (size_t k = 0; k + 1 < count; ++k) {
      Value taken = predicate[cell];
      if (!isIf)
        taken = stablehlo::CompareOp::create(
            builder, loc, taken,
            createIntConstant(builder, loc, taken.getType(), k),
            stablehlo::ComparisonDirection::EQ);
      for (auto [value, yield] : llvm::zip(chosen, branches[k]))
        value = stablehlo::SelectOp::create(builder, loc, value.getType(),
                                            taken, yield[cell], value);
    }
    for (auto [list, value] : llvm::zip(results, chosen))
      list.push_back(value);
  }
  for (auto [result, list] : llvm::zip(op->getResults(), results))
    map[result] = Shards(std::move(list));
  return success();
}

LogicalResult ManualUnroller::emitDivergentLoop(Operation *op,
                                                OpBuilder &builder) {
  auto loop = cast<stablehlo::WhileOp>(op);
  Location loc = op->getLoc();
  int64_t cells = grid.size();
  SmallVector<Value> inits;
  for (Value operand : op->getOperands())
    for (int64_t cell = 0; cell < cells; ++cell)
      inits.push_back(map.lookup(operand)[cell]);
  SmallVector<Type> types(ValueRange(inits).getTypes());
  SmallVector<Location> locs(types.size(), loc);
  auto copy = stablehlo::WhileOp::create(builder, loc, types, inits);
  auto bind = [&](Block &from, Block *to) {
    for (auto [i, argument] : llvm::enumerate(from.getArguments())) {
      ValueRange all = to->getArguments();
      map[argument] = Shards(llvm::to_vector(all.slice(i * cells, cells)));
    }
  };
  OpBuilder::InsertionGuard guard(builder);
  auto emitCondition = [&](Block *to) -> FailureOr<Shards> {
    Block &cond = loop.getCond().front();
    bind(cond, to);
    if (failed(emitBlock(cond, builder)))
      return failure();
    return map.lookup(cond.getTerminator()->getOperand(0));
  };
  Block *block = builder.createBlock(&copy.getCond(), {}, types, locs);
  FailureOr<Shards> goesOn = emitCondition(block);
  if (failed(goesOn))
    return failure();
  Value any = (*goesOn)[0];
  for (int64_t cell = 1; cell < cells; ++cell)
    any = stablehlo::OrOp::create(builder, loc, any.getType(), any,
                                  (*goesOn)[cell]);
  stablehlo::ReturnOp::create(builder, loc, any);

  block = builder.createBlock(&copy.getBody(), {}, types, locs);
  goesOn = emitCondition(block);
  if (failed(goesOn))
    return failure();
  Block &body = loop.getBody().front();
  bind(body, block);
  if (failed(emitBlock(body, builder)))
    return failure();
  SmallVector<Value> yields;
  for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands())) {
    Shards shards = map.lookup(value);
    if (shards.empty())
      shards = Shards(value);
    for (int64_t cell = 0; cell < cells; ++cell)
      yields.push_back(stablehlo::SelectOp::create(
          builder, loc, shards[cell].getType(), (*goesOn)[cell], shards[cell],
          block->getArgument(i * cells + cell)));
  }
  stablehlo::ReturnOp::create(builder, loc, yields);
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    ValueRange all = copy.getResults();
    map[result] = Shards(llvm::to_vector(all.slice(i * cells, cells)));
  }
  return success();
}

LogicalResult ManualUnroller::emitLockstep(Operation *op, OpBuilder &builder) {
  if (!isa<stablehlo::WhileOp, stablehlo::IfOp, stablehlo::CaseOp>(op))
    return op->emitError(
        "a collective inside a region of this operation cannot "
        "be run on one device");
  auto loop = dyn_cast<stablehlo::WhileOp>(op);
  if (loop &&
      varying.contains(loop.getCond().front().getTerminator()->getOperand(0)))
    return emitDivergentLoop(op, builder);
  if (!loop && !map.lookup(op->getOperand(0)).isShared())
    return emitDivergentBranches(op, builder);
  SmallVector<bool> varies;
  SmallVector<Type> types;
  for (Value result : op->getResults()) {
    varies.push_back(varying.contains(result));
    types.append(varies.back() ? grid.size() : 1, result.getType());
  }
  OperationState state(op->getLoc(), op->getName());
  state.addTypes(types);
  state.addAttributes(op->getDiscardableAttrDictionary().getValue());
  // Annotations per result no longer match.
  state.attributes.erase(ShoalDialect::kShardingsAttr);
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    Shards shards = map.lookup(operand);
    int64_t copies = loop && varies[index] ? grid.size() : 1;
    for (int64_t cell = 0; cell < copies; ++cell)
      state.operands.push_back(shards[cell]);
  }
  for (unsigned i = 0; i < op->getNumRegions(); ++i)
    state.addRegion();
  Operation *copy = builder.create(state);
  for (auto [index, region] : llvm::enumerate(op->getRegions())) {
    bool isCondition = loop && index == 0;
    if (failed(emitRegion(
            region, copy->getRegion(index),
            loop ? ArrayRef<bool>(varies) : ArrayRef<bool>(),
            isCondition ? ArrayRef<bool>() : ArrayRef<bool>(varies), builder)))
      return failure();
  }
  unsigned next = 0;
  for (auto [index, result] : llvm::enumerate(op->getResults())) {
    SmallVector<Value> cells;
    for (int64_t i = 0, e = varies[index] ? grid.size() : 1; i < e; ++i)
      cells.push_back(copy->getResult(next++));
    map[result] = Shards(std::move(cells));
  }
  return success();
}
