//===- ShoalAttrs.td - Attributes of the shoal dialect --------------------===//
#ifndef SHOAL_ATTRS_TD
#define SHOAL_ATTRS_TD

include "dialects/Shoal/ShoalDialect.td"
include "mlir/IR/AttrTypeBase.td"

class Shoal_Attr<string name, string mnem> : AttrDef<Shoal_Dialect, name> {
  let mnemonic = mnem;
}

def Shoal_ReductionKind : I32Enum<"ReductionKind",
    "How the parts of a partial value combine", [
      I32EnumCase<"Add", 0, "add">, I32EnumCase<"Mul", 1, "mul">,
      I32EnumCase<"Min", 2, "min">, I32EnumCase<"Max", 3, "max">,
      I32EnumCase<"And", 4, "and">, I32EnumCase<"Or", 5, "or">,
      I32EnumCase<"Xor", 6, "xor">]> {
  let cppNamespace = "::shoal";
}

def Shoal_Direction : I32Enum<"PropagationDirection",
    "Directions in which shardings may pass", [
      I32EnumCase<"None", 0, "none">, I32EnumCase<"Forward", 1, "forward">,
      I32EnumCase<"Backward", 2, "backward">, I32EnumCase<"Both", 3, "both">]> {
  let cppNamespace = "::shoal";
}

def Shoal_DirectionAttr : EnumAttr<Shoal_Dialect, Shoal_Direction, "direction">;
def Shoal_KindAttr : EnumAttr<Shoal_Dialect, Shoal_ReductionKind, "reduction">;

def Shoal_MeshAxisAttr : Shoal_Attr<"MeshAxis", "mesh_axis"> {
  let summary = "A named axis of a mesh and its number of devices";
  let description = "Printed inside a mesh, as `\"dp\"=2`.";
  let parameters = (ins StringRefParameter<"name">:$name, "int64_t":$size);
  let hasCustomAssemblyFormat = 1;
}

def Shoal_AxisTopologyAttr : Shoal_Attr<"AxisTopology", "axis_topology"> {
  let summary = "Bandwidth and latency of the links along one mesh axis";
  let description = [{
    `"tp" = (450.0, 2.0)`: gigabytes per second that a device can send along
    the axis, and microseconds until the first byte arrives.
  }];
  let parameters = (ins StringRefParameter<"name">:$name,
                        "::llvm::APFloat":$bandwidthGBs,
                        "::llvm::APFloat":$latencyUs);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    double getBandwidth() const { return getBandwidthGBs().convertToDouble(); }
    double getLatency() const { return getLatencyUs().convertToDouble(); }
  }];
}

def Shoal_MeshAttr : Shoal_Attr<"Mesh", "mesh"> {
  let summary = "A grid of devices with named axes";
  let description = [{
    `<["dp"=2, "tp"=4], device_ids=[…], topology={"tp" = (450.0, 2.0)}>`. A
    device's *position* is its row-major index over the axes; without
    `device_ids` it is also its id. A maximal mesh has no axes and one device
    id, `<[], device_ids=[3]>`: what it places lies on that device alone. A
    mesh with neither axes nor ids is empty: one device, any.
  }];
  let parameters = (ins ArrayRefParameter<"::shoal::MeshAxisAttr">:$axes,
                        ArrayRefParameter<"int64_t">:$deviceIds,
                        ArrayRefParameter<"::shoal::AxisTopologyAttr">:$topology);
  let builders = [
    AttrBuilder<(ins "::llvm::ArrayRef<::shoal::MeshAxisAttr>":$axes), [{
      return $_get($_ctxt, axes, ::llvm::ArrayRef<int64_t>(),
                   ::llvm::ArrayRef<::shoal::AxisTopologyAttr>());
    }]>,
    AttrBuilder<(ins "::llvm::ArrayRef<::shoal::MeshAxisAttr>":$axes,
                     "::llvm::ArrayRef<int64_t>":$deviceIds), [{
      return $_get($_ctxt, axes, deviceIds,
                   ::llvm::ArrayRef<::shoal::AxisTopologyAttr>());
    }]>];
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    bool empty() const { return getAxes().empty() && getDeviceIds().empty(); }
    /// One explicit device and no axes.
    bool isMaximal() const {
      return getAxes().empty() && getDeviceIds().size() == 1;
    }
    bool hasAxis(::llvm::StringRef name) const { return getAxisIndex(name) >= 0; }
    /// Index of the axis of that name, or -1.
    int64_t getAxisIndex(::llvm::StringRef name) const;
    /// Size of the axis of that name, or 0 if there is none.
    int64_t getAxisSize(::llvm::StringRef name) const;
    /// Number of devices: the product of all axis sizes.
    int64_t getNumDevices() const;
    /// Id of the device at a row-major position over the axes.
    int64_t getDeviceId(int64_t position) const;
    /// Position of a device id, or -1.
    int64_t getPosition(int64_t deviceId) const;
    /// Index along each axis of the device at `position`.
    ::llvm::SmallVector<int64_t> getCoordinates(int64_t position) const;
    /// The topology entry of an axis, or null.
    ::shoal::AxisTopologyAttr getAxisTopology(::llvm::StringRef name) const;
  }];
}

def Shoal_AxisRefAttr : Shoal_Attr<"AxisRef", "axis"> {
  let summary = "A mesh axis, or a sub-axis of one";
  let description = [{
    `"x"` is the whole axis. `"x":(p)s` is the sub-axis of size `s` that comes
    after a part of size `p` when `x` is read as p × s × rest, major to minor.
    `size` is 0 for the whole axis.
  }];
  let parameters = (ins StringRefParameter<"name">:$name, "int64_t":$preSize,
                        "int64_t":$subSize);
  let builders = [AttrBuilder<(ins "::llvm::StringRef":$name), [{
    return $_get($_ctxt, name, int64_t(0), int64_t(0));
  }]>];
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    bool isSubAxis() const { return getSubSize() != 0; }
    /// Number of devices along it; 0 if the mesh has no such axis.
    int64_t getSize(::shoal::MeshAttr mesh) const;
    /// Product of what is major to it within the axis (1 for a whole axis).
    int64_t getPre() const { return isSubAxis() ? getPreSize() : 1; }
    /// `pre × size` bound of the sub-axis within its axis.
    int64_t getNext(::shoal::MeshAttr mesh) const {
      return getPre() * getSize(mesh);
    }
    /// True if both name a common part of the same axis. Sizes come from mesh.
    bool overlaps(::shoal::AxisRefAttr other, ::shoal::MeshAttr mesh) const;
    /// True if `other` lies within this one.
    bool contains(::shoal::AxisRefAttr other, ::shoal::MeshAttr mesh) const;
    /// Sub-axis [pre, pre·size) of axis `name`, as the whole axis if it is.
    static ::shoal::AxisRefAttr getNormalized(::llvm::StringRef name,
        int64_t pre, int64_t size, ::shoal::MeshAttr mesh);
  }];
}

def Shoal_DimShardingAttr : Shoal_Attr<"DimSharding", "dim_sharding"> {
  let summary = "How one dimension is cut";
  let description = [{
    `{"dp", "tp":(1)2, ?}p1 block 5`: axes major to minor; `?` marks it open to
    further axes in propagation; `p1` is the round of user-priority propagation
    in which it takes part (-1 inside: none given, which means 0); `block` is
    the number of elements per part where that is not ceil(n / parts) (0
    inside: the default).
  }];
  let parameters = (ins ArrayRefParameter<"::shoal::AxisRefAttr">:$axes,
                        "bool":$isOpen, "int64_t":$priority, "int64_t":$block);
  let builders = [
    AttrBuilder<(ins "::llvm::ArrayRef<::shoal::AxisRefAttr>":$axes,
                     "bool":$isOpen), [{
      return $_get($_ctxt, axes, isOpen, int64_t(-1), int64_t(0));
    }]>];
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    bool emptyAxes() const { return getAxes().empty(); }
    bool isClosed() const { return !getIsOpen(); }
    bool hasPriority() const { return getPriority() >= 0; }
    int64_t getPriorityOrDefault() const {
      return hasPriority() ? getPriority() : 0;
    }
    /// Number of parts the dimension is cut into.
    int64_t getNumParts(::shoal::MeshAttr mesh) const;
    /// Elements per part of a dimension of `size` elements (section "Padding"
    /// of the design): the explicit block, or ceil(size / parts).
    int64_t getBlockSize(int64_t size, ::shoal::MeshAttr mesh) const;
    ::shoal::DimShardingAttr withAxes(::llvm::ArrayRef<::shoal::AxisRefAttr>) const;
    ::shoal::DimShardingAttr withOpen(bool open) const;
    ::shoal::DimShardingAttr withBlock(int64_t block) const;
  }];
}

def Shoal_ShardingAttr : Shoal_Attr<"Sharding", "sharding"> {
  let summary = "How a tensor is laid out over a mesh";
  let description = [{
    `<@m, [{"dp"}, {"tp", ?} ], replicated = {"x"}, partial = add {"y"}>`. The
    mesh is a symbol or written in place, `mesh<["a"=2]>`. Axes that are not
    named replicate; those in `replicated` must go on replicating. Over the
    axes in `partial` every device holds a term: the value is their sum (or
    product, minimum, …). Block and local shape: see Sharding.h.
  }];
  let parameters = (ins "::mlir::Attribute":$meshOrRef,
      ArrayRefParameter<"::shoal::DimShardingAttr">:$dims,
      ArrayRefParameter<"::shoal::AxisRefAttr">:$replicated,
      "::shoal::ReductionKind":$partialKind,
      ArrayRefParameter<"::shoal::AxisRefAttr">:$partialAxes);
  let builders = [
    AttrBuilderWithInferredContext<(ins "::mlir::Attribute":$meshOrRef,
        "::llvm::ArrayRef<::shoal::DimShardingAttr>":$dims), [{
      return $_get(meshOrRef.getContext(), meshOrRef, dims,
                   ::llvm::ArrayRef<::shoal::AxisRefAttr>(),
                   ::shoal::ReductionKind::Add,
                   ::llvm::ArrayRef<::shoal::AxisRefAttr>());
    }]>,
    AttrBuilderWithInferredContext<(ins "::mlir::Attribute":$meshOrRef,
        "::llvm::ArrayRef<::shoal::DimShardingAttr>":$dims,
        "::llvm::ArrayRef<::shoal::AxisRefAttr>":$replicated,
        "::shoal::ReductionKind":$partialKind,
        "::llvm::ArrayRef<::shoal::AxisRefAttr>":$partialAxes), [{
      // Without axes the kind says nothing; keep attributes unique.
      return $_get(meshOrRef.getContext(), meshOrRef, dims, replicated,
                   partialAxes.empty() ? ::shoal::ReductionKind::Add : partialKind,
                   partialAxes);
    }]>];
  let skipDefaultBuilders = 1;
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getDims().size(); }
    ::shoal::DimShardingAttr getDim(int64_t dim) const { return getDims()[dim]; }
    bool isPartial() const { return !getPartialAxes().empty(); }
    /// The symbol of the mesh, or null when it is written in place.
    ::mlir::FlatSymbolRefAttr getMeshRef() const;
    /// The mesh, looked up from `from` outwards; null if there is none.
    ::shoal::MeshAttr getMesh(::mlir::Operation *from) const;
    /// No dimension is cut and nothing is partial: every device holds it all.
    bool isFullyReplicated() const;
    /// Some axis cuts a dimension or is partial.
    bool usesAxis(::llvm::StringRef axis) const;

    /// All dimensions whole; closed, or open to propagation.
    static ::shoal::ShardingAttr getReplicated(::mlir::Attribute meshOrRef,
                                               int64_t rank);
    static ::shoal::ShardingAttr getFullyOpen(::mlir::Attribute meshOrRef,
                                              int64_t rank);
    ::shoal::ShardingAttr withDims(::llvm::ArrayRef<::shoal::DimShardingAttr>) const;
    ::shoal::ShardingAttr withDim(int64_t dim, ::shoal::DimShardingAttr) const;
    ::shoal::ShardingAttr withPartial(::shoal::ReductionKind,
        ::llvm::ArrayRef<::shoal::AxisRefAttr>) const;
    ::shoal::ShardingAttr withoutPartial() const;
    /// The layout alone: dimensions closed, priorities and replicated axes
    /// dropped, explicit default blocks removed when `shape` is given.
    ::shoal::ShardingAttr getLayout() const;
  }];
}

def Shoal_ShardingPerValueAttr : Shoal_Attr<"ShardingPerValue", "sharding_per_value"> {
  let summary = "A sharding for each value of a list";
  let parameters = (ins ArrayRefParameter<"::shoal::ShardingAttr">:$shardings);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    bool empty() const { return getShardings().empty(); }
    size_t size() const { return getShardings().size(); }
  }];
}

def Shoal_FormAttr : Shoal_Attr<"Form", "form"> {
  let summary = "How one op is computed: mesh axes per factor, and a strategy";
  let description = [{
    `<@m, [{"dp"}, {}, {"tp"} block 5], strategy = "halo">`: for each factor of
    the op's sharding rule, in order, the axes along which devices share it and
    the block where it is not the default. Operands and results of the op have
    the shardings that follow from this; a `shoal.reshard` stands wherever a
    value's own sharding differs. `strategy` (may be empty) picks among the
    lowerings of an op's factors where there is a choice.
  }];
  let parameters = (ins "::mlir::Attribute":$meshOrRef,
      ArrayRefParameter<"::shoal::DimShardingAttr">:$factors,
      StringRefParameter<"strategy">:$strategy);
  let builders = [
    AttrBuilderWithInferredContext<(ins "::mlir::Attribute":$meshOrRef,
        "::llvm::ArrayRef<::shoal::DimShardingAttr>":$factors,
        CArg<"::llvm::StringRef", "\"\"">:$strategy), [{
      return $_get(meshOrRef.getContext(), meshOrRef, factors, strategy);
    }]>];
  let skipDefaultBuilders = 1;
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    ::shoal::MeshAttr getMesh(::mlir::Operation *from) const;
    ::llvm::ArrayRef<::shoal::AxisRefAttr> getFactorAxes(int64_t factor) const {
      return getFactors()[factor].getAxes();
    }
  }];
}

def Shoal_DimFactorsAttr : Shoal_Attr<"DimFactors", "dim_factors"> {
  let summary = "The factors of one dimension, major to minor";
  let parameters = (ins ArrayRefParameter<"int64_t">:$factors);
  let hasCustomAssemblyFormat = 1;
}

def Shoal_TensorFactorsAttr : Shoal_Attr<"TensorFactors", "tensor_factors"> {
  let summary = "The factors of each dimension of a tensor";
  let parameters = (ins ArrayRefParameter<"::shoal::DimFactorsAttr">:$dims);
  let hasCustomAssemblyFormat = 1;
}

def Shoal_OpRuleAttr : Shoal_Attr<"OpRule", "op_rule"> {
  let summary = "A sharding rule written by a user, or printed for one";
  let description = [{
    `<([i, k], [k, j])->([i, j]) {i=8, j=16, k=32} reduction={k}>`: dimensions
    that carry the same letter are one index. A dimension may be several
    factors, `[ij]`, major to minor. Further lists: `reduction_kinds={max}`
    (one per reduction factor; `add` where absent), `need_replication={…}`,
    `permutation={…}` (windows: data moves along the factor),
    `blocked_propagation={…}`, `linear=[0]` (operands the op is linear in), and
    `custom` for a rule that the compiler may not refine. A size of 0 stands
    for "as the operand says", and is not printed.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$factorSizes,
      ArrayRefParameter<"::shoal::TensorFactorsAttr">:$operands,
      ArrayRefParameter<"::shoal::TensorFactorsAttr">:$results,
      ArrayRefParameter<"int64_t">:$reduction,
      ArrayRefParameter<"::shoal::ReductionKind">:$reductionKinds,
      ArrayRefParameter<"int64_t">:$needReplication,
      ArrayRefParameter<"int64_t">:$permutation,
      ArrayRefParameter<"int64_t">:$blocked,
      ArrayRefParameter<"int64_t">:$linear,
      "bool":$custom);
  let hasCustomAssemblyFormat = 1;
}

#endif // SHOAL_ATTRS_TD
