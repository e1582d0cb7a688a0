// Kernels with reductions, and ops on the same rows (softmax, norms, sums): a
// block takes `lanes` rows, of each as many threads as fit; threads reduce their
// columns, meet in shared memory, and go over the columns again for the outputs.
//
// Reductions over minor dimensions have one lane: neighbours read neighbouring
// columns. Where the minor dimension is kept, 32 lanes are 32 neighbouring rows.
#include "SimtEmitter.h"

#include "lib/Codegen/CPU/ReductionGroup.h"
#include "lib/Codegen/CPU/ScalarMath.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::gpu::simt;
using cpu::Reduction;
using cpu::ReductionGroup;

namespace {
struct RowSpec {
  int64_t lanes = 1, members = 32;
};

/// True where the order of elements does not matter: they may be dealt out.
bool isCommutative(const Reduction &reduction) {
  return reduction.simpleOp &&
         isa<stablehlo::AddOp, stablehlo::MulOp, stablehlo::MaxOp,
             stablehlo::MinOp, stablehlo::AndOp, stablehlo::OrOp,
             stablehlo::XorOp>(reduction.simpleOp);
}

class RowKernel {
public:
  RowKernel(SimtEmitter &e, ReductionGroup &group, RowSpec spec)
      : e(e), ir(e.ir()), group(group), spec(spec),
        ordered(!llvm::all_of(group.reductions, isCommutative)) {
    columns = group.columns;
    perMember = llvm::divideCeil(columns, spec.members);
    // Members that have an element at all are the first ones.
    valid = ordered ? llvm::divideCeil(columns, perMember)
                    : std::min(columns, spec.members);
  }

  void run() {
    e.blockLoop(llvm::divideCeil(group.rows, spec.lanes), [&](IndexVar *unit) {
      llvm::Value *thread = e.threadInBlock();
      llvm::Value *lanes = ir.getInt32(spec.lanes);
      lane = ir.CreateURem(thread, lanes);
      member = ir.CreateUDiv(thread, lanes);
      IndexExpr rowNumber = IndexExpr(unit) * spec.lanes;
      active = nullptr;
      if (spec.lanes > 1) {
        llvm::Value *number = ir.CreateAdd(
            e.value(rowNumber), ir.CreateZExt(lane, ir.getInt64Ty()));
        if (group.rows % spec.lanes) {
          active = ir.CreateICmpSLT(number, ir.getInt64(group.rows));
          number = ir.CreateBinaryIntrinsic(llvm::Intrinsic::smin, number,
                                            ir.getInt64(group.rows - 1));
        }
        rowNumber = e.expr(number, 0, group.rows - 1);
      }
      Index row = e.delinearize(rowNumber, group.rowShape);
      for (unsigned level = 1; level <= group.numLevels; ++level)
        reduceLevel(level, row);
      auto outputs = [&] {
        if (!group.fullOutputs.empty())
          forColumns([&](ArrayRef<IndexExpr> reduced) {
            e.storeOutputs(group.fullOutputs, group.fullIndex(row, reduced));
          });
        if (!group.rowOutputs.empty())
          e.ifThenElse(isFirst(), [&] { group.storeRowOutputs(e, row); });
      };
      if (active)
        e.ifThenElse(active, outputs);
      else
        outputs();
    });
  }

private:
  llvm::Value *isFirst() {
    return ir.CreateICmpEQ(member, ir.getInt32(0));
  }

  /// The columns of this thread; in order where reductions need that.
  void forColumns(llvm::function_ref<void(ArrayRef<IndexExpr>)> body,
                  bool inOrder = false) {
    llvm::Type *i64 = ir.getInt64Ty();
    llvm::Value *own = ir.CreateZExt(member, i64);
    if (!inOrder)
      return e.strideLoop(own, ir.getInt64(spec.members), columns,
                          [&](IndexVar *column) {
                            body(e.splitVar(column, group.reducedShape()));
                          });
    llvm::Value *first = ir.CreateMul(own, ir.getInt64(perMember));
    llvm::Value *end = ir.CreateBinaryIntrinsic(
        llvm::Intrinsic::smin, ir.CreateAdd(first, ir.getInt64(perMember)),
        ir.getInt64(columns));
    e.forLoop(first, end, columns, [&](IndexExpr column) {
      body(e.delinearize(column, group.reducedShape()));
    });
  }

  /// Two partial results in order.
  SmallVector<Scalar> join(const Reduction &reduction, ArrayRef<Scalar> x,
                           ArrayRef<Scalar> y) {
    SmallVector<Scalar> arguments(x);
    llvm::append_range(arguments, y);
    ElementEmitter::Reassociate reassociate(e);
    // Sums of narrow floats run in f32, and round at the end.
    if (reduction.accumulatorTypes[0] !=
        cpu::getElementType(reduction.op.getInputs()[0])) {
      llvm::Value *a = x[0].re, *b = y[0].re;
      return {{isa<stablehlo::AddOp>(reduction.simpleOp)
                   ? ir.CreateFAdd(a, b)
                   : ir.CreateFMul(a, b)}};
    }
    return e.inlineRegion(reduction.op.getBody(), arguments);
  }

  struct Running {
    Reduction *reduction;
    SmallVector<Variable> sums;
    SmallVector<int64_t> places; ///< in shared memory
  };

  SmallVector<Scalar> get(const Running &running) {
    SmallVector<Scalar> values;
    for (const Variable &sum : running.sums)
      values.push_back(e.get(sum));
    return values;
  }
  void set(const Running &running, ArrayRef<Scalar> values) {
    for (auto [sum, value] : llvm::zip_equal(running.sums, values))
      e.set(sum, value);
  }
  /// Slot of a member, which may be past the valid ones, in shared memory.
  llvm::Value *slot(llvm::Value *number) {
    return ir.CreateZExt(
        ir.CreateAdd(ir.CreateMul(number, ir.getInt32(spec.lanes)), lane),
        ir.getInt64Ty());
  }
  SmallVector<Scalar> load(const Running &running, llvm::Value *at) {
    SmallVector<Scalar> values;
    for (auto [type, place] :
         llvm::zip_equal(running.reduction->accumulatorTypes, running.places))
      values.push_back(
          cpu::loadElement(ir, type, e.shared(place, slots(type)), at));
    return values;
  }
  void store(const Running &running, llvm::Value *at) {
    for (auto [type, place, value] :
         llvm::zip_equal(running.reduction->accumulatorTypes, running.places,
                         get(running)))
      cpu::storeElement(ir, type, value, e.shared(place, slots(type)), at);
  }
  int64_t slots(Type type) {
    return spec.lanes * spec.members * cpu::getElementBytes(type);
  }

  void reduceLevel(unsigned level, ArrayRef<IndexExpr> row) {
    SmallVector<Running> all;
    int64_t place = 0;
    for (auto [reduction, itsLevel] :
         llvm::zip_equal(group.reductions, group.levels)) {
      if (itsLevel != level)
        continue;
      Running &running = all.emplace_back();
      running.reduction = &reduction;
      for (Type type : reduction.accumulatorTypes) {
        running.sums.push_back(e.variable(type));
        e.set(running.sums.back(), cpu::zeroScalar(ir, type));
        running.places.push_back(place);
        place += llvm::alignTo(slots(type), 16);
      }
    }
    if (all.empty())
      return;
    // The first element of a thread starts its sums: initial values count once.
    Type i1 = IntegerType::get(group.reductions[0].op->getContext(), 1);
    Variable started = e.variable(i1);
    e.set(started, {ir.getFalse()});
    forColumns(
        [&](ArrayRef<IndexExpr> reduced) {
          Index full = group.fullIndex(row, reduced);
          llvm::Value *has = e.get(started).re;
          for (Running &running : all) {
            SmallVector<Scalar> own;
            for (Value input : running.reduction->op.getInputs())
              own.push_back(e.element(input, full));
            SmallVector<Scalar> joined =
                join(*running.reduction, get(running), own);
            for (auto [sum, one, both] :
                 llvm::zip_equal(running.sums, own, joined))
              e.set(sum, cpu::selectScalar(ir, has, both, one));
          }
          e.set(started, {ir.getTrue()});
        },
        ordered);
    meet(all);
    for (Running &running : all) {
      // The initial value comes first, and rounding last.
      SmallVector<Scalar> total = join(
          *running.reduction, running.reduction->initial(e),
          load(running, slot(ir.getInt32(0))));
      SmallVector<Scalar> results = running.reduction->round(e, total);
      for (auto [value, result] :
           llvm::zip_equal(running.reduction->op.getResults(), results))
        e.remember(value, row, result);
    }
    // Before somebody uses the memory again.
    e.barrier();
  }

  /// Joins the members' sums, in order, into slot 0.
  void meet(ArrayRef<Running> all) {
    for (const Running &running : all)
      store(running, slot(member));
    e.barrier();
    for (int64_t half = llvm::PowerOf2Ceil(valid) / 2; half > 0; half /= 2) {
      // Neighbours, so that the order stays: members at distance 1, 2, 4, …
      int64_t distance = llvm::PowerOf2Ceil(valid) / 2 / half;
      llvm::Value *mask = ir.getInt32(2 * distance - 1);
      llvm::Value *other = ir.CreateAdd(member, ir.getInt32(distance));
      llvm::Value *takesPart = ir.CreateAnd(
          ir.CreateICmpEQ(ir.CreateAnd(member, mask), ir.getInt32(0)),
          ir.CreateICmpULT(other, ir.getInt32(valid)));
      e.ifThenElse(takesPart, [&] {
        for (const Running &running : all) {
          set(running, join(*running.reduction, get(running),
                            load(running, slot(other))));
          store(running, slot(member));
        }
      });
      e.barrier();
    }
  }

  SimtEmitter &e;
  IRBuilder &ir;
  ReductionGroup &group;
  RowSpec spec;
  bool ordered;
  int64_t columns, perMember, valid;
  llvm::Value *lane = nullptr, *member = nullptr, *active = nullptr;
};
} // namespace

bool shoal::gpu::simt::makeRowKernel(const KernelSource &source,
                                     SimtKernel &kernel) {
  std::optional<ReductionGroup> group = cpu::findReductionGroup(source);
  if (!group)
    return false;
  // A thread per row is enough for short rows, if there are many.
  bool minor = group->reducesMinor();
  if (group->numLevels == 0 ||
      (group->columns < 32 && group->rows > 4096) || group->columns < 8)
    return false;
  RowSpec spec;
  spec.lanes = minor ? 1 : 32;
  int64_t most = minor ? 512 : 16;
  spec.members = std::min<int64_t>(
      most, llvm::PowerOf2Ceil(std::max<int64_t>(group->columns / 4, 1)));
  if (minor)
    spec.members = std::max<int64_t>(spec.members, 32);
  // Accumulators of all members, in shared memory.
  int64_t bytes = 0;
  for (const Reduction &reduction : group->reductions)
    for (Type type : reduction.accumulatorTypes)
      bytes += spec.lanes * spec.members * cpu::getElementBytes(type) + 16;
  if (bytes > 48 * 1024)
    return false;
  kernel.form = minor ? "rows" : "columns";
  kernel.steps.push_back(
      {spec.lanes * spec.members, [&source, spec](SimtEmitter &e) {
         ReductionGroup group = *cpu::findReductionGroup(source);
         e.getFacts().flops += group.rows * group.columns *
                               int64_t(group.reductions.size() + 1);
         RowKernel(e, group, spec).run();
       }});
  return true;
}
