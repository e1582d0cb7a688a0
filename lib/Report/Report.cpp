#include "shoal/Report/Report.h"
#include "shoal/Analysis/HostScalars.h"
#include "shoal/Analysis/OpCosts.h"
#include "shoal/Analysis/OpSeconds.h"
#include "shoal/Schedule/MemoryNotes.h"

#include "dialects/Comm/Comm.h"
#include "dialects/Plan/Plan.h"
#include "dialects/Shoal/Shoal.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace shoal {

static std::string text(Type type) {
  std::string result;
  llvm::raw_string_ostream(result) << type;
  return result;
}

/// "file:line:col", or what there is instead.
static std::string text(Location loc) {
  std::string result;
  loc->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner)) {
      result = file.getFilename().str() + ":" + std::to_string(file.getLine()) +
               ":" + std::to_string(file.getColumn());
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  if (result.empty())
    if (auto name = dyn_cast<NameLoc>(loc))
      result = name.getName().str();
  return result;
}

static int64_t saturatingMul(int64_t a, int64_t b) {
  int64_t r;
  return __builtin_mul_overflow(a, b, &r) ? INT64_MAX : r;
}
static void saturatingAdd(int64_t &a, int64_t b) {
  if (__builtin_add_overflow(a, b, &a))
    a = INT64_MAX;
}

namespace {

/// Walks a function in execution order, multiplying by trip counts.
struct Walker {
  Report &report;
  const Hardware &hardware;
  SymbolTable symbols;
  double compute = 0, communication = 0;
  llvm::SmallPtrSet<Operation *, 4> onStack;

  HostScalars scalars;
  CollectiveTimes collectiveTimes;

  Walker(Report &report, const Hardware &hardware, ModuleOp module)
      : report(report), hardware(hardware), symbols(module), scalars(module),
        collectiveTimes(hardware) {}

  void visit(Region &region, int64_t times, bool dynamic) {
    for (Operation &op : region.getOps())
      visit(&op, times, dynamic);
  }

  void visitCallee(Operation *callee, int64_t times, bool dynamic) {
    if (!callee || !onStack.insert(callee).second)
      return;
    for (Region &region : callee->getRegions())
      visit(region, times, dynamic);
    onStack.erase(callee);
  }

  void visit(Operation *op, int64_t times, bool dynamic) {
    if (auto collective = dyn_cast<comm::CollectiveOpInterface>(op)) {
      addCollective(collective, times, dynamic);
      return;
    }
    if (int64_t flops = flopsOf(op)) {
      saturatingAdd(report.flopsPerDevice, saturatingMul(flops, times));
      double bytes = 0;
      for (Type type : op->getOperandTypes())
        bytes += static_cast<double>(tensorBytesOf(type));
      for (Type type : op->getResultTypes())
        bytes += static_cast<double>(tensorBytesOf(type));
      compute += static_cast<double>(times) *
                 hardware.kernelSeconds(
                     static_cast<double>(flops),
                     computeTypeOf(op->getOperand(0).getType()), bytes);
      return;
    }
    if (auto call = dyn_cast<func::CallOp>(op))
      return visitCallee(symbols.lookup(call.getCallee()), times, dynamic);
    if (auto launch = dyn_cast<plan::LaunchOp>(op))
      return visitCallee(symbols.lookup(launch.getKernel()), times, dynamic);
    StringRef name = op->getName().getStringRef();
    if (name == "stablehlo.while") {
      std::optional<int64_t> trips = tripCount(op);
      for (Region &region : op->getRegions())
        visit(region, trips ? saturatingMul(times, *trips) : times,
              dynamic || !trips);
      return;
    }
    // Which branch is taken is not known; each counts once.
    bool branches = name == "stablehlo.if" || name == "stablehlo.case";
    for (Region &region : op->getRegions())
      visit(region, times, dynamic || branches);
  }

  /// What import marked, or what the loop itself says where a rewrite has
  /// dropped the mark.
  std::optional<int64_t> tripCount(Operation *loop) {
    if (auto mark = loop->getAttrOfType<DictionaryAttr>("shoal.counted_loop"))
      if (auto count = mark.getAs<IntegerAttr>("trip_count"))
        return count.getInt();
    if (auto count = loop->getAttrOfType<IntegerAttr>("shoal.trip_count"))
      return count.getInt();
    if (auto counted =
            scalars.getCountedLoop(cast<mlir::stablehlo::WhileOp>(loop)))
      return counted->tripCount;
    return std::nullopt;
  }

  void addCollective(comm::CollectiveOpInterface op, int64_t times,
                     bool dynamic) {
    // The sender counts for both halves.
    if (isa<comm::RecvOp>(op.getOperation()))
      return;
    CollectiveReport c;
    c.kind = op->getName().stripDialect().str();
    comm::GroupsAttr groups = op.getCollectiveGroups();
    for (AxisRefAttr axis : groups.getAxes()) {
      std::string name;
      llvm::raw_string_ostream os(name);
      os << axis.getName();
      if (axis.isSubAxis())
        os << ":(" << axis.getPreSize() << ")" << axis.getSubSize();
      c.axes.push_back(name);
    }
    c.groupSize = groups.getGroupSize(op);
    int64_t once = op.getBytesSentPerDevice();
    c.bytesSentPerDevice = saturatingMul(once, times);
    c.count = times;
    c.dynamic = dynamic;
    if (StringAttr reason = op.getReasonAttr())
      c.reason = reason.str();
    c.loc = text(op.getLoc());
    saturatingAdd(report.bytesSentPerDevice, c.bytesSentPerDevice);
    if (c.groupSize > 1)
      saturatingAdd(report.collectiveCount, times);
    communication +=
        static_cast<double>(times) * collectiveTimes.of(op).seconds;
    report.collectives.push_back(std::move(c));
  }
};

} // namespace

static ValueReport describe(StringRef name, Type local, DictionaryAttr attrs) {
  ValueReport v;
  v.name = name.str();
  Type global = local;
  if (attrs) {
    if (auto type = attrs.getAs<TypeAttr>("shoal.global_type"))
      global = type.getValue();
    if (auto given = attrs.getAs<StringAttr>("shoal.name"))
      v.name = given.str();
    if (auto role = attrs.getAs<StringAttr>("shoal.role"))
      v.role = role.str();
    if (Attribute sharding = attrs.get("shoal.sharding"))
      llvm::raw_string_ostream(v.sharding) << sharding;
  }
  if (auto type = dyn_cast<RankedTensorType>(global)) {
    v.type = text(type.getElementType());
    v.shape.assign(type.getShape().begin(), type.getShape().end());
  } else {
    v.type = text(global);
  }
  if (auto type = dyn_cast<RankedTensorType>(local))
    v.localShape.assign(type.getShape().begin(), type.getShape().end());
  v.bytesPerDevice = tensorBytesOf(local);
  return v;
}

Report Report::of(ModuleOp module, StringRef entry, const Hardware &hardware) {
  Report report;
  for (auto mesh : module.getOps<MeshOp>()) {
    MeshAttr attr = mesh.getMesh();
    if (attr.getNumDevices() < report.devices && !report.meshAxes.empty())
      continue;
    report.meshAxes.clear();
    for (MeshAxisAttr axis : attr.getAxes())
      report.meshAxes.push_back({axis.getName().str(), axis.getSize()});
    report.devices = std::max<int64_t>(1, attr.getNumDevices());
  }
  auto func = module.lookupSymbol<func::FuncOp>(entry);
  if (!func || func.isExternal())
    return report;
  FunctionType type = func.getFunctionType();
  for (auto [i, local] : llvm::enumerate(type.getInputs()))
    report.arguments.push_back(::shoal::describe(
        "arg" + std::to_string(i), local, func.getArgAttrDict(i)));
  for (auto [i, local] : llvm::enumerate(type.getResults()))
    report.results.push_back(::shoal::describe("out" + std::to_string(i), local,
                                               func.getResultAttrDict(i)));
  Walker walker(report, hardware, module);
  walker.visit(func.getBody(), 1, false);
  report.peakBytesPerDevice = peakBytesOf(func.getBody());
  for (const ValueReport &v : report.arguments)
    saturatingAdd(report.peakBytesPerDevice, v.bytesPerDevice);
  // Nothing overlaps in this model: it is an upper bound.
  report.modelledExposed = walker.communication;
  report.modelledStep = walker.compute + walker.communication;
  report.modelledCompute = walker.compute;
  report.modelledCommunication = walker.communication;
  report.hardware = hardware.name;
  return report;
}

void Report::addSchedule(ModuleOp module) {
  for (auto program : module.getOps<plan::ProgramOp>()) {
    int64_t bytes = program.getArenaBytes().value_or(0);
    temporaryBytesPerDevice = bytes;
    if (auto host = program->getAttrOfType<IntegerAttr>(kHostBytesAttr))
      peakHostBytesPerDevice = host.getInt();
    liveAtPeak.clear();
    if (auto alive = program->getAttrOfType<ArrayAttr>(kLiveAtPeakAttr))
      for (Attribute entry : alive) {
        auto fields = dyn_cast<ArrayAttr>(entry);
        if (!fields || fields.size() != 3)
          continue;
        auto size = dyn_cast<IntegerAttr>(fields[0]);
        auto type = dyn_cast<TypeAttr>(fields[1]);
        auto where = dyn_cast<LocationAttr>(fields[2]);
        if (size && type && where)
          liveAtPeak.push_back(
              {size.getInt(), text(type.getValue()), text(Location(where))});
      }
    for (const ValueReport &v : arguments)
      saturatingAdd(bytes, v.bytesPerDevice);
    for (auto [i, v] : llvm::enumerate(results))
      saturatingAdd(bytes, v.bytesPerDevice);
    // Results left in donated arguments take no memory of their own.
    program.walk([&](plan::ResultOp result) {
      if (result.getArgument() && result.getIndex() < results.size())
        bytes -= results[result.getIndex()].bytesPerDevice;
    });
    peakBytesPerDevice = bytes;
  }
}

} // namespace shoal
