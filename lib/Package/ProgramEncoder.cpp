// Entry, mesh and memory of the program table. Instructions are in
// EncodeInstructions.cpp.
#include "ProgramEncoder.h"

#include "Constants.h"
#include "shoal/Analysis/OpSeconds.h"
#include "shoal/Schedule/Groups.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"

using namespace mlir;
using namespace shoal;
using program::kNone;
using program::SlotKind;

//===----------------------------------------------------------------------===//
// Locations
//===----------------------------------------------------------------------===//

/// "name at file:line:col", as far as the location knows them.
static std::string locationText(Location location) {
  if (auto file = dyn_cast<FileLineColLoc>(location))
    return (file.getFilename().getValue() + ":" + Twine(file.getLine()) + ":" +
            Twine(file.getColumn()))
        .str();
  if (auto name = dyn_cast<NameLoc>(location)) {
    std::string inner = locationText(name.getChildLoc());
    return inner.empty() ? name.getName().str()
                         : name.getName().str() + " at " + inner;
  }
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return locationText(call.getCallee());
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      if (std::string text = locationText(part); !text.empty())
        return text;
  return "";
}

program::Str ProgramEncoder::loc(Location location) {
  return table.str(locationText(location));
}

//===----------------------------------------------------------------------===//
// Types, mesh, shardings
//===----------------------------------------------------------------------===//

FailureOr<uint32_t> ProgramEncoder::encodeType(Operation *at, Type elementType,
                                               ArrayRef<int64_t> shape) {
  program::DType dtype = getDType(elementType);
  if (dtype == program::DType::Invalid) {
    at->emitError("element type ") << elementType << " has no form in memory";
    return failure();
  }
  uint32_t quantization = kNone;
  if (auto quantized = dyn_cast<quant::QuantizedType>(elementType)) {
    program::Quantization record = {};
    record.storage = dtype;
    record.expressed = getDType(quantized.getExpressedType());
    record.dimension = -1;
    record.storageMin = quantized.getStorageTypeMin();
    record.storageMax = quantized.getStorageTypeMax();
    record.firstScale = table.doubles.size();
    SmallVector<int64_t> zeroPoints;
    if (auto uniform = dyn_cast<quant::UniformQuantizedType>(elementType)) {
      table.doubles.push_back(uniform.getScale());
      zeroPoints.push_back(uniform.getZeroPoint());
    } else if (auto axis =
                   dyn_cast<quant::UniformQuantizedPerAxisType>(elementType)) {
      record.dimension = axis.getQuantizedDimension();
      table.doubles.insert(table.doubles.end(), axis.getScales().begin(),
                           axis.getScales().end());
      zeroPoints.append(axis.getZeroPoints().begin(),
                        axis.getZeroPoints().end());
    } else {
      at->emitError("element type ") << elementType << " has no form in memory";
      return failure();
    }
    record.numScales = zeroPoints.size();
    record.zeroPoints = table.ints(zeroPoints);
    // One record per type: types are few.
    for (auto [i, other] : llvm::enumerate(table.quantizations))
      if (other.storage == record.storage &&
          other.expressed == record.expressed &&
          other.dimension == record.dimension &&
          other.storageMin == record.storageMin &&
          other.storageMax == record.storageMax &&
          other.zeroPoints.first == record.zeroPoints.first &&
          other.numScales == record.numScales &&
          std::equal(table.doubles.begin() + record.firstScale,
                     table.doubles.end(),
                     table.doubles.begin() + other.firstScale)) {
        table.doubles.resize(record.firstScale);
        quantization = i;
      }
    if (quantization == kNone) {
      quantization = table.quantizations.size();
      table.quantizations.push_back(record);
    }
  }
  return table.type(dtype, shape, quantization);
}

LogicalResult ProgramEncoder::encodeMesh() {
  mesh = getProgramMesh(module);
  table.header.numRanks = 1;
  if (!mesh)
    return success();
  for (MeshAxisAttr axis : mesh.getAxes())
    table.meshAxes.push_back({table.str(axis.getName()), axis.getSize()});
  table.header.numRanks = mesh.getNumDevices();
  table.deviceIds.assign(mesh.getDeviceIds().begin(),
                         mesh.getDeviceIds().end());
  return success();
}

FailureOr<uint32_t> ProgramEncoder::encodeSharding(Operation *at,
                                                   ShardingAttr sharding,
                                                   RankedTensorType global,
                                                   ArrayRef<int64_t> local) {
  MeshAttr from = sharding.getMesh(at);
  if (!from) {
    at->emitError("a sharding refers to an unknown mesh");
    return failure();
  }
  program::Sharding record = {};
  record.onlyRank = kNone;
  if (from.isMaximal()) {
    int64_t id = from.getDeviceIds().front();
    record.onlyRank = mesh ? mesh.getPosition(id) : 0;
  } else if (mesh && from.getNumDevices() != mesh.getNumDevices() &&
             !sharding.isFullyReplicated()) {
    at->emitError(
        "a sharding is over a mesh with another number of devices than "
        "the program's");
    return failure();
  }
  std::vector<program::ShardDim> dims;
  for (int64_t d = 0; d < global.getRank(); ++d) {
    program::ShardDim dim = {1, local[d], 0, 0};
    if (d < sharding.getRank()) {
      auto digits = getDigits(sharding.getDim(d).getAxes(), from);
      if (failed(digits)) {
        at->emitError(
            "a sharding refers to an axis that its mesh does not have");
        return failure();
      }
      dim.firstDigit = table.digits(*digits);
      dim.numDigits = digits->size() / 2;
      for (size_t i = 0; i < digits->size(); i += 2)
        dim.parts *= (*digits)[i];
    }
    dims.push_back(dim);
  }
  record.firstDim = table.shardDims.size();
  record.numDims = dims.size();
  table.shardDims.insert(table.shardDims.end(), dims.begin(), dims.end());
  std::string text;
  llvm::raw_string_ostream os(text);
  Attribute(sharding).print(os);
  record.text = table.str(text);
  table.shardings.push_back(record);
  return table.shardings.size() - 1;
}

uint32_t ProgramEncoder::encodeGroup(plan::GroupAttr group) {
  auto [it, isNew] = groupIndices.try_emplace(group, table.groups.size());
  if (!isNew)
    return it->second;
  program::Group record = {};
  record.name = table.str(group.getName());
  record.groupSize = group.getGroupSize();
  if (group.getTableSize()) {
    record.table = table.ints(group.getTable());
    record.numGroups = group.getTable().size() / record.groupSize;
  } else {
    record.firstDigit = table.digits(group.getDigits());
    record.numDigits = group.getDigits().size() / 2;
    record.numGroups = table.header.numRanks / record.groupSize;
  }
  table.groups.push_back(record);
  return it->second;
}

//===----------------------------------------------------------------------===//
// Kernels and the entry
//===----------------------------------------------------------------------===//

LogicalResult ProgramEncoder::encodeKernels() {
  // Only those that the program runs; names of the others need not resolve.
  llvm::StringMap<bool> used;
  program.walk([&](plan::ExecOp exec) { used[exec.getKernel()] = true; });
  for (auto kernel : module.getOps<plan::KernelOp>()) {
    if (!used.contains(kernel.getSymName()))
      continue;
    program::Kernel record = {};
    record.name = table.str(kernel.getSymName());
    record.symbol = table.str(
        kernel.getSymbol().value_or(("shoal_" + kernel.getSymName()).str()));
    record.loc = loc(kernel.getLoc());
    for (unsigned i = 0, e = kernel.getArgumentTypes().size(); i != e; ++i) {
      if (kernel.isScalarArg(i)) {
        ++record.numScalars;
        continue;
      }
      ++record.numInputs;
    }
    record.numOutputs = kernel.getResultTypes().size();
    record.bytes = static_cast<int64_t>(workOf(kernel).bytes);
    record.numChunks = std::max<int64_t>(kernel.getChunks().value_or(1), 1);
    record.scratchBytes = kernel.getScratchBytes().value_or(0);
    record.flops = kernel.getFlops().value_or(0);
    if (auto call = kernel->getAttrOfType<StringAttr>("plan.library"))
      record.library = table.str(call.getValue());
    kernelIndices[kernel.getSymName()] = table.kernels.size();
    table.kernels.push_back(record);
    if (options.target == "cuda" && failed(encodeGpuKernel(kernel)))
      return failure();
  }
  appendLaunches();
  return success();
}

/// Attributes of argument or result i.
static DictionaryAttr attrsOf(std::optional<ArrayAttr> all, unsigned i) {
  return all && i < all->size() ? cast<DictionaryAttr>((*all)[i])
                                : DictionaryAttr();
}

LogicalResult ProgramEncoder::encodeEntry() {
  struct Layout {
    uint32_t global = 0, local = 0, sharding = kNone;
  };
  auto layout = [&](Type type, DictionaryAttr attrs,
                    Layout &result) -> LogicalResult {
    auto local = dyn_cast<RankedTensorType>(type);
    if (!local)
      return program.emitError("an argument or result of type ")
             << type << " cannot be passed";
    auto localIndex =
        encodeType(program, local.getElementType(), local.getShape());
    if (failed(localIndex))
      return failure();
    result.local = result.global = *localIndex;
    auto sharding =
        attrs ? attrs.getAs<ShardingAttr>("shoal.sharding") : ShardingAttr();
    if (!sharding || (!mesh && !sharding.getMesh(program)))
      return success();
    RankedTensorType global = local;
    if (auto attr = attrs.getAs<TypeAttr>("shoal.global_type")) {
      global = cast<RankedTensorType>(attr.getValue());
    } else if (MeshAttr from = sharding.getMesh(program)) {
      SmallVector<int64_t> shape(local.getShape());
      for (int64_t d = 0; d < sharding.getRank() && d < local.getRank(); ++d)
        shape[d] *= sharding.getDim(d).getNumParts(from);
      global = local.clone(shape);
    }
    auto globalIndex =
        encodeType(program, global.getElementType(), global.getShape());
    auto index = encodeSharding(program, sharding, global, local.getShape());
    if (failed(globalIndex) || failed(index))
      return failure();
    result.global = *globalIndex;
    result.sharding = *index;
    return success();
  };
  for (auto [i, type] :
       llvm::enumerate(program.getArgTypes().getAsValueRange<TypeAttr>())) {
    DictionaryAttr attrs = attrsOf(program.getArgAttrs(), i);
    Layout where;
    if (failed(layout(type, attrs, where)))
      return failure();
    program::Argument record = {};
    record.name = table.str(("arg" + Twine(i)).str());
    record.globalType = where.global;
    record.localType = where.local;
    record.sharding = where.sharding;
    record.donated = attrs && (attrs.get("tf.aliasing_output") ||
                               attrs.get("jax.buffer_donor"));
    record.aliasResult = kNone;
    table.arguments.push_back(record);
  }
  for (auto [i, type] :
       llvm::enumerate(program.getResultTypes().getAsValueRange<TypeAttr>())) {
    DictionaryAttr attrs = attrsOf(program.getResAttrs(), i);
    Layout where;
    if (failed(layout(type, attrs, where)))
      return failure();
    program::Result record = {};
    record.name = table.str(("out" + Twine(i)).str());
    record.globalType = where.global;
    record.localType = where.local;
    record.sharding = where.sharding;
    record.aliasArgument = kNone;
    record.slot = kNone;
    table.results.push_back(record);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

FailureOr<uint32_t> ProgramEncoder::addSlot(Operation *at,
                                            plan::BufferType type,
                                            SlotKind kind, uint32_t ref,
                                            int64_t offset) {
  auto typeIndex = encodeType(at, type.getElementType(), type.getShape());
  if (failed(typeIndex))
    return failure();
  program::Slot record = {};
  record.type = *typeIndex;
  record.kind = kind;
  record.ref = ref;
  record.offset = offset;
  record.bytes = type.getBytes();
  record.name = loc(at->getLoc());
  table.slots.push_back(record);
  return table.slots.size() - 1;
}

LogicalResult ProgramEncoder::encodeConstant(plan::ConstantOp op) {
  auto [it, isNew] = constantIndices.try_emplace(
      {op.getValue(), op.getShardingAttr()}, table.constants.size());
  if (isNew) {
    auto global = cast<RankedTensorType>(op.getValue().getShapedType());
    plan::BufferType type = op.getBuffer().getType();
    // The buffer's element type may be quantized, the value's its storage.
    auto typeIndex = encodeType(op, type.getElementType(), global.getShape());
    if (failed(typeIndex))
      return failure();
    program::Constant record = {};
    record.type = *typeIndex;
    record.sharding = kNone;
    if (auto sharding = dyn_cast_or_null<ShardingAttr>(op.getShardingAttr())) {
      auto index = encodeSharding(op, sharding, global, type.getShape());
      if (failed(index))
        return failure();
      record.sharding = *index;
    }
    int64_t bytes = plan::getTensorBytes(global);
    size_t alignment = bytes >= static_cast<int64_t>(program::kPageSize)
                           ? program::kPageSize
                           : program::kBufferAlignment;
    constantBytes.resize((constantBytes.size() + alignment - 1) / alignment *
                         alignment);
    record.offset = constantBytes.size();
    record.bytes = bytes;
    if (failed(appendElements(op.getValue(), constantBytes)) ||
        constantBytes.size() != record.offset + record.bytes)
      return op.emitOpError("has a value whose elements are not available");
    table.constants.push_back(record);
  }
  auto index =
      addSlot(op, op.getBuffer().getType(), SlotKind::Constant, it->second, 0);
  if (failed(index))
    return failure();
  slots[op.getBuffer()] = *index;
  return success();
}

/// Slots of declarations.
LogicalResult ProgramEncoder::declare(Operation *op) {
  FailureOr<uint32_t> index = failure();
  if (auto alloc = dyn_cast<plan::AllocOp>(op)) {
    if (!alloc.getOffset())
      return op->emitOpError("has no place in the arena");
    index = addSlot(op, alloc.getType(),
                    alloc->hasAttr("host") ? SlotKind::Host : SlotKind::Arena,
                    0, *alloc.getOffset());
  } else if (auto argument = dyn_cast<plan::ArgumentOp>(op)) {
    uint32_t i = argument.getIndex();
    if (i >= table.arguments.size())
      return op->emitOpError("refers to an argument that does not exist");
    index = addSlot(op, argument.getType(), SlotKind::Argument, i, 0);
    if (succeeded(index))
      table.arguments[i].slot = *index;
  } else if (auto result = dyn_cast<plan::ResultOp>(op)) {
    uint32_t i = result.getIndex();
    if (i >= table.results.size())
      return op->emitOpError("refers to a result that does not exist");
    if (auto argument = result.getArgument()) {
      if (*argument >= table.arguments.size())
        return op->emitOpError("refers to an argument that does not exist");
      // The result's type may be another shape of the same bytes.
      index = addSlot(op, result.getType(), SlotKind::Argument, *argument, 0);
      table.results[i].aliasArgument = *argument;
      table.arguments[*argument].aliasResult = i;
    } else {
      index = addSlot(op, result.getType(), SlotKind::Result, i, 0);
    }
    if (succeeded(index))
      table.results[i].slot = *index;
  }
  if (failed(index))
    return failure();
  slots[op->getResult(0)] = *index;
  return success();
}

FailureOr<ProgramTable> ProgramEncoder::encode() {
  if (failed(encodeMesh()) || failed(encodeKernels()) || failed(encodeEntry()))
    return failure();
  table.beginBlock();
  if (failed(encodeBlock(program.getBody().front())))
    return failure();
  table.header.mainBlock = table.endBlock();
  for (auto [i, result] : llvm::enumerate(table.results))
    if (result.slot == kNone)
      return program.emitError("result ") << i << " has no memory";
  program::Header &header = table.header;
  header.arenaBytes = program.getArenaBytes().value_or(0);
  if (auto bytes = program->getAttrOfType<IntegerAttr>("host_bytes"))
    header.hostBytes = bytes.getInt();
  header.constantsBytes = constantBytes.size();
  header.imagesBytes = imageBytes.size();
  header.numRegisters = registers.size();
  header.numEvents = events.size();
  header.numStreams = numStreams;
  header.copiedBytes = program.getCopiedBytes().value_or(0);
  header.entry = table.str(program.getSymName());
  header.target = table.str(options.target);
  header.chip = table.str(options.chip);
  header.features = table.str(options.features);
  header.producer = table.str(options.producer);
  header.report = table.str(options.report);

  ProgramTable result{table.finish(), std::move(constantBytes),
                      std::move(imageBytes)};
  // What the runtime would refuse must not be written: an error of ours.
  std::vector<uint64_t> aligned(result.table.size() / 8 + 1);
  std::copy(result.table.begin(), result.table.end(),
            reinterpret_cast<char *>(aligned.data()));
  std::string problem = program::validate(aligned.data(), result.table.size());
  if (!problem.empty()) {
    program.emitError("has no valid program table: ") << problem;
    return failure();
  }
  return result;
}

FailureOr<ProgramTable>
shoal::buildProgramTable(ModuleOp module, const PackageOptions &options) {
  auto programs = module.getOps<plan::ProgramOp>();
  if (programs.empty() || std::next(programs.begin()) != programs.end()) {
    module.emitError("must have one plan.program to be packaged");
    return failure();
  }
  return ProgramEncoder(module, *programs.begin(), options).encode();
}
