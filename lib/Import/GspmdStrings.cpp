// Reads GSPMD's sharding strings, and relates their tiles to one mesh.
//
// A sharding string tiles a tensor over a list of devices:
//   {devices=[2,4]<=[8]}                      devices 0 … 7 in order
//   {devices=[4,2]<=[2,4]T(1,0)}              the iota of [2,4], transposed
//   {devices=[2,1,4]<=[8] last_tile_dim_replicate}
//   {devices=[1,2,4]<=[8] last_tile_dims={manual, replicated}}
//   {devices=[2,2]0,2,1,3}                    an explicit list
//   {replicated}, {manual}, {maximal device=3}, {{…}, {…}} for several values
// The tiles are a mesh: one axis per tile dimension, its device ids the list.
#include "GspmdRegions.h"

#include "MeshRelations.h"

#include "dialects/Shoal/Sharding.h"
#include "dialects/StableHLO/StableHLO.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace shoal;

namespace {
class Parser {
public:
  Parser(StringRef text) : text(text) {}

  bool run(GspmdSharding &sharding);
  bool atEnd() {
    skip();
    return text.empty();
  }

private:
  void skip() { text = text.ltrim(" \t,"); }
  bool eat(StringRef token) {
    skip();
    return text.consume_front(token);
  }
  bool number(int64_t &value) {
    skip();
    return !text.consumeInteger(10, value) && value >= 0 &&
           value <= kMaxDevices;
  }
  bool list(SmallVectorImpl<int64_t> &values) {
    if (!eat("["))
      return false;
    while (!eat("]"))
      if (!number(values.emplace_back()))
        return false;
    return true;
  }
  bool devices(GspmdSharding &sharding);

  StringRef text;
};
} // namespace

bool Parser::devices(GspmdSharding &sharding) {
  if (!list(sharding.tiles) || sharding.tiles.empty())
    return false;
  int64_t count = 1;
  for (int64_t tile : sharding.tiles) {
    if (tile < 1 || tile > kMaxDevices / count)
      return false;
    count *= tile;
  }
  if (eat("<=")) {
    SmallVector<int64_t> shape, permutation;
    if (!list(shape))
      return false;
    sharding.iota = shape;
    int64_t total = 1;
    for (int64_t size : shape) {
      if (size < 1 || size > kMaxDevices / total)
        return false;
      total *= size;
    }
    if (total != count)
      return false;
    if (eat("T")) {
      if (!eat("("))
        return false;
      while (!eat(")"))
        if (!number(permutation.emplace_back()))
          return false;
      SmallVector<int64_t> sorted(permutation);
      llvm::sort(sorted);
      if (!llvm::equal(sorted, llvm::seq<int64_t>(0, shape.size())))
        return false;
    } else {
      permutation = llvm::to_vector(llvm::seq<int64_t>(0, shape.size()));
    }
    // Element p of the transposed iota.
    SmallVector<int64_t> strides(shape.size(), 1);
    for (int64_t i = int64_t(shape.size()) - 2; i >= 0; --i)
      strides[i] = strides[i + 1] * shape[i + 1];
    for (int64_t position = 0; position < count; ++position) {
      int64_t rest = position, id = 0;
      for (int64_t i = int64_t(permutation.size()) - 1; i >= 0; --i) {
        int64_t dim = permutation[i];
        id += rest % shape[dim] * strides[dim];
        rest /= shape[dim];
      }
      sharding.devices.push_back(id);
    }
    return true;
  }
  for (int64_t i = 0; i < count; ++i)
    if (!number(sharding.devices.emplace_back()))
      return false;
  SmallVector<int64_t> sorted(sharding.devices);
  llvm::sort(sorted);
  return llvm::equal(sorted, llvm::seq<int64_t>(0, count));
}

bool Parser::run(GspmdSharding &sharding) {
  if (text.trim().empty()) { // as early versions of JAX wrote it
    sharding.kind = GspmdSharding::Kind::Unknown;
    return true;
  }
  if (!eat("{"))
    return false;
  if (eat("unknown")) {
    sharding.kind = GspmdSharding::Kind::Unknown;
  } else if (eat("replicated")) {
    sharding.kind = GspmdSharding::Kind::Replicated;
  } else if (eat("manual")) {
    sharding.kind = GspmdSharding::Kind::Manual;
  } else if (eat("maximal")) {
    sharding.kind = GspmdSharding::Kind::Maximal;
    if (!eat("device=") || !number(sharding.devices.emplace_back()))
      return false;
  } else if (eat("devices=")) {
    sharding.kind = GspmdSharding::Kind::Tiled;
    if (!devices(sharding))
      return false;
    size_t groups = 0;
    if (eat("last_tile_dim_replicate")) {
      groups = 1;
    } else if (eat("last_tile_dims={")) {
      while (!eat("}")) {
        ++groups;
        if (eat("manual"))
          sharding.manual.push_back(groups - 1);
        else if (!eat("replicated"))
          return false;
      }
    }
    if (groups > sharding.tiles.size())
      return false;
    sharding.rank = sharding.tiles.size() - groups;
  } else {
    return false;
  }
  // Metadata and the like may follow.
  int depth = 1;
  while (!text.empty() && depth > 0) {
    depth += text.front() == '{';
    depth -= text.front() == '}';
    text = text.drop_front();
  }
  return depth == 0;
}

std::optional<GspmdSharding> GspmdSharding::parse(StringRef text) {
  GspmdSharding sharding;
  Parser parser(text);
  if (!parser.run(sharding) || !parser.atEnd())
    return std::nullopt;
  return sharding;
}

MeshAttr GspmdSharding::getMesh(MLIRContext *context,
                                int64_t numDevices) const {
  switch (kind) {
  case Kind::Maximal:
    return MeshAttr::get(context, {}, devices);
  case Kind::Replicated:
  case Kind::Manual:
  case Kind::Unknown:
    return MeshAttr::get(context, MeshAxisAttr::get(context, "d0", numDevices));
  case Kind::Tiled:
    break;
  }
  SmallVector<MeshAxisAttr> axes;
  for (auto [index, size] : llvm::enumerate(tiles))
    axes.push_back(
        MeshAxisAttr::get(context, "d" + std::to_string(index), size));
  bool inOrder = llvm::equal(devices, llvm::seq<int64_t>(0, devices.size()));
  return MeshAttr::get(context, axes,
                       inOrder ? ArrayRef<int64_t>() : ArrayRef(devices));
}

SmallVector<StringRef> shoal::splitGspmdTuple(StringRef text) {
  StringRef inner = text.trim();
  if (!inner.consume_front("{") || !inner.ltrim().starts_with("{") ||
      !inner.consume_back("}"))
    return {text};
  SmallVector<StringRef> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= inner.size(); ++i) {
    if (i == inner.size() || (inner[i] == ',' && depth == 0)) {
      parts.push_back(inner.slice(begin, i).trim());
      begin = i + 1;
      continue;
    }
    depth += inner[i] == '{';
    depth -= inner[i] == '}';
  }
  return parts;
}

std::optional<GspmdSharding> shoal::readGspmdSharding(Operation *op) {
  auto text = op->getAttrOfType<StringAttr>("mhlo.sharding");
  if (!text)
    return std::nullopt;
  std::optional<GspmdSharding> sharding = GspmdSharding::parse(text.getValue());
  if (!sharding)
    op->emitError("cannot read sharding ") << text;
  return sharding;
}

SmallVector<int64_t> shoal::getUnspecifiedDims(Operation *op) {
  SmallVector<int64_t> dims;
  auto config = op->getAttrOfType<StringAttr>("backend_config");
  if (auto call = dyn_cast<stablehlo::CustomCallOp>(op); call && !config)
    config = dyn_cast<StringAttr>(call.getBackendConfigOrEmpty());
  if (!config)
    return dims;
  StringRef text = config.getValue();
  size_t begin = text.find("unspecified_dims=[");
  if (begin == StringRef::npos)
    return dims;
  text = text.drop_front(begin + StringRef("unspecified_dims=[").size());
  int64_t dim;
  while (!text.consumeInteger(10, dim)) {
    dims.push_back(dim);
    text.consume_front(",");
    text = text.ltrim();
  }
  return dims;
}

//===----------------------------------------------------------------------===//
// The common mesh
//===----------------------------------------------------------------------===//

GspmdMesh::GspmdMesh(ModuleOp module) : context(module.getContext()) {
  if (auto count = module->getAttrOfType<IntegerAttr>("mhlo.num_partitions"))
    numDevices = count.getInt();
  // Tiles and the iotas that number them, of every string.
  // First those of regions that are manual on a part of the mesh: they must be
  // whole axes.
  SmallVector<MeshAttr> manual, tiles;
  bool any = false;
  AttrTypeWalker walker;
  walker.addWalk([&](StringAttr text) {
    if (!text.getValue().starts_with("{"))
      return;
    for (StringRef part : splitGspmdTuple(text.getValue())) {
      std::optional<GspmdSharding> sharding = GspmdSharding::parse(part);
      if (!sharding)
        continue;
      any = true;
      if (sharding->kind != GspmdSharding::Kind::Tiled)
        continue;
      numDevices = std::max<int64_t>(numDevices, sharding->devices.size());
      (sharding->manual.empty() ? tiles : manual)
          .push_back(sharding->getMesh(context, 0));
      if (!sharding->iota.empty()) {
        GspmdSharding iota = *sharding;
        iota.tiles = sharding->iota;
        iota.devices =
            llvm::to_vector(llvm::seq<int64_t>(0, sharding->devices.size()));
        tiles.push_back(iota.getMesh(context, 0));
      }
    }
  });
  module.walk([&](Operation *op) { walker.walk(op->getAttrDictionary()); });
  if (!any)
    return;
  for (auto op : module.getOps<MeshOp>())
    if (!mesh && op.getMesh().getNumDevices() == numDevices &&
        !op.getMesh().getAxes().empty()) {
      mesh = op.getMesh();
      ref = FlatSymbolRefAttr::get(op.getSymNameAttr());
    }
  if (mesh) {
    cutForRegions(module, manual);
    return;
  }
  if (numDevices > kMaxDevices)
    return;
  tiles.insert(tiles.begin(), manual.begin(), manual.end());
  llvm::erase_if(
      tiles, [&](MeshAttr tile) { return tile.getNumDevices() != numDevices; });
  mesh = refineMeshes(tiles, numDevices, context);
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto op = MeshOp::create(builder, module.getLoc(), "mesh", mesh);
  SymbolTable(module).insert(op, module.getBody()->begin());
  ref = FlatSymbolRefAttr::get(op.getSymNameAttr());
}

void GspmdMesh::cutForRegions(ModuleOp module, ArrayRef<MeshAttr> manual) {
  SmallVector<AxisRefAttr> parts;
  for (MeshAttr tile : manual)
    if (std::optional<AxisMap> map = relateMeshes(tile, mesh))
      for (auto &[name, list] : *map)
        llvm::append_range(parts, list);
  if (llvm::none_of(parts, [](AxisRefAttr axis) { return axis.isSubAxis(); }))
    return;
  MeshAttr cut = cutAxes(mesh, parts);
  if (!cut)
    return;
  mesh = cut;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto op = MeshOp::create(builder, module.getLoc(), "mesh", mesh);
  SymbolTable(module).insert(op, module.getBody()->begin());
  ref = FlatSymbolRefAttr::get(op.getSymNameAttr());
}

static int64_t rankOf(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  return shaped && shaped.hasRank() ? shaped.getRank() : 0;
}

ShardingAttr GspmdMesh::getReplicated(Type type) {
  return ShardingAttr::getReplicated(ref, rankOf(type));
}

ShardingAttr GspmdMesh::getSharding(const GspmdSharding &sharding, Type type,
                                    ArrayRef<int64_t> open, Operation *op) {
  int64_t rank = rankOf(type);
  if (!mesh) {
    op->emitError("sharding over more than ") << kMaxDevices << " devices";
    return {};
  }
  if (sharding.kind == GspmdSharding::Kind::Maximal)
    return ShardingAttr::get(sharding.getMesh(context, numDevices),
                             ArrayRef<DimShardingAttr>());
  bool tiled = sharding.kind == GspmdSharding::Kind::Tiled;
  if (tiled && sharding.rank != rank) {
    op->emitError("sharding tiles ")
        << sharding.rank << " dimensions, but the value is " << type;
    return {};
  }
  SmallVector<DimShardingAttr> dims;
  for (int64_t dim = 0; dim < rank; ++dim) {
    SmallVector<AxisRefAttr> axes;
    if (tiled && sharding.tiles[dim] > 1)
      axes.push_back(AxisRefAttr::get(context, "d" + std::to_string(dim)));
    dims.push_back(
        DimShardingAttr::get(context, axes, llvm::is_contained(open, dim)));
  }
  if (!tiled)
    return ShardingAttr::get(ref, dims);
  MeshAttr own = sharding.getMesh(context, numDevices);
  ShardingAttr inPlace = ShardingAttr::get(own, dims);
  if (std::optional<AxisMap> map = relateMeshes(own, mesh))
    if (ShardingAttr mapped = mapSharding(inPlace, *map, mesh, ref))
      return mapped;
  return inPlace;
}

FailureOr<SmallVector<Attribute>>
GspmdMesh::getManualAxes(const GspmdSharding &sharding, Operation *op) {
  SmallVector<Attribute> names;
  if (sharding.kind == GspmdSharding::Kind::Manual) {
    for (MeshAxisAttr axis : mesh.getAxes())
      names.push_back(StringAttr::get(context, axis.getName()));
    return names;
  }
  std::optional<AxisMap> map;
  if (sharding.kind == GspmdSharding::Kind::Tiled)
    map = relateMeshes(sharding.getMesh(context, numDevices), mesh);
  if (!map || sharding.manual.empty()) {
    op->emitError("cannot tell which axes are manual");
    return failure();
  }
  for (int64_t group : sharding.manual) {
    std::string name = "d" + std::to_string(sharding.rank + group);
    for (AxisRefAttr axis : map->at(name)) {
      if (axis.isSubAxis()) {
        op->emitError("is manual on a part of a mesh axis");
        return failure();
      }
      names.push_back(StringAttr::get(context, axis.getName()));
    }
  }
  return names;
}
