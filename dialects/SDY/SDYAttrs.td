// Attributes of the sdy dialect. Their text form is written by hand, in
// SDYAttrs.cpp and SDYRules.cpp, because most of it drops the `<…>`.
#ifndef SHOAL_DIALECTS_SDY_ATTRS_TD
#define SHOAL_DIALECTS_SDY_ATTRS_TD

include "dialects/SDY/SDYDialect.td"
include "mlir/IR/AttrTypeBase.td"

class Sdy_Attr<string name, string mnem> : AttrDef<Sdy_Dialect, name> {
  let mnemonic = mnem;
  let hasCustomAssemblyFormat = 1;
}

def Sdy_MeshAxis : Sdy_Attr<"MeshAxis", "mesh_axis"> {
  let summary = "A named axis of a mesh and its size: `\"x\"=2`";
  let parameters = (ins StringRefParameter<"">:$name, "int64_t":$size);
}

def Sdy_Mesh : Sdy_Attr<"Mesh", "mesh"> {
  let summary = "A grid of devices: `<[\"x\"=2, \"y\"=4], device_ids=[…]>`";
  let description = [{
    Devices are numbered row-major over the axes; `device_ids` gives them
    another order. Without axes and with one id the mesh is *maximal*: what it
    places lies on that device alone. Without either it is empty.
  }];
  let parameters = (ins ArrayRefParameter<"MeshAxisAttr">:$axes,
                        ArrayRefParameter<"int64_t">:$device_ids);
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool empty() const { return getAxes().empty() && getDeviceIds().empty(); }
    bool isMaximal() const {
      return getAxes().empty() && getDeviceIds().size() == 1;
    }
    bool hasAxis(::llvm::StringRef name) const;
    /// Size of the named axis; 0 if the mesh has none of that name.
    int64_t getAxisSize(::llvm::StringRef name) const;
    /// Position of the named axis; -1 if the mesh has none of that name.
    int64_t getAxisIndex(::llvm::StringRef name) const;
    /// Product of the axis sizes.
    int64_t getTotalSize() const;
  }];
}

def Sdy_SubAxisInfo : Sdy_Attr<"SubAxisInfo", "sub_axis_info"> {
  let summary = "`(m)k`: the sub-axis of size k after a part of size m";
  let parameters = (ins "int64_t":$pre_size, "int64_t":$size);
  let extraClassDeclaration = [{
    int64_t getNextPreSize() const { return getPreSize() * getSize(); }
  }];
}

def Sdy_AxisRef : Sdy_Attr<"AxisRef", "axis_ref"> {
  let summary = "A whole axis, `\"x\"`, or a sub-axis, `\"x\":(2)2`";
  let parameters = (ins StringRefParameter<"">:$name,
      OptionalParameter<"SubAxisInfoAttr">:$sub_axis_info);
  let extraClassDeclaration = [{
    /// Number of devices along it; sizes of whole axes come from the mesh.
    int64_t getSize(MeshAttr mesh) const;
    int64_t getSubAxisPreSize() const {
      return getSubAxisInfo() ? getSubAxisInfo().getPreSize() : 1;
    }
    /// True if both name a common part of one axis.
    bool overlaps(AxisRefAttr other) const;
    std::string toString() const;
  }];
}

def Sdy_AxisRefList : Sdy_Attr<"AxisRefList", "axis_ref_list"> {
  let summary = "Axes in order: `{\"x\", \"y\":(1)2}`";
  let parameters = (ins ArrayRefParameter<"AxisRefAttr">:$value);
}

def Sdy_ListOfAxisRefLists
    : Sdy_Attr<"ListOfAxisRefLists", "list_of_axis_ref_lists"> {
  let summary = "Axes per dimension: `[{\"x\"}, {}]`";
  let parameters = (ins ArrayRefParameter<"AxisRefListAttr">:$value);
}

def Sdy_AllToAllParam : Sdy_Attr<"AllToAllParam", "all_to_all_param"> {
  let summary = "Axes that move between two dimensions: `{\"x\"}: 0->1`";
  let parameters = (ins ArrayRefParameter<"AxisRefAttr">:$axes,
                        "int64_t":$src_dim, "int64_t":$tgt_dim);
}

def Sdy_AllToAllParamList
    : Sdy_Attr<"AllToAllParamList", "all_to_all_param_list"> {
  let summary = "A list of moves: `[{\"x\"}: 0->1, {\"y\"}: 2->3]`";
  let parameters = (ins ArrayRefParameter<"AllToAllParamAttr">:$value);
}

def Sdy_DimensionSharding : Sdy_Attr<"DimensionSharding", "dimension_sharding"> {
  let summary = "How one dimension is cut: `{\"x\", ?}p1`";
  let description = [{
    Axes from major to minor. `?` leaves the dimension open: propagation may
    append axes. `p<n>` is the round of user-priority propagation in which the
    annotation takes part; none means 0.
  }];
  let parameters = (ins ArrayRefParameter<"AxisRefAttr">:$axes,
                        "bool":$is_closed, "std::optional<int64_t>":$priority);
}

def Sdy_TensorSharding : Sdy_Attr<"TensorSharding", "sharding"> {
  let summary = "How a tensor is laid out over a mesh";
  let description = [{
    `<@mesh, [{"x"}, {?} ], replicated={"y"}, unreduced={"z"}>`. The mesh is a
    symbol or written in place, `mesh<["x"=2]>`. Axes in `replicated` must stay
    unused; over the axes in `unreduced` every device holds a term of the value,
    a sum unless the list says otherwise (`unreduced=max{"z"}`).
  }];
  let parameters = (ins "::mlir::Attribute":$mesh_or_ref,
      ArrayRefParameter<"DimensionShardingAttr">:$dim_shardings,
      ArrayRefParameter<"AxisRefAttr">:$replicated_axes,
      ArrayRefParameter<"AxisRefAttr">:$unreduced_axes,
      "ReductionOp":$reduction_op);
  let extraClassDeclaration = [{
    int64_t getRank() const { return getDimShardings().size(); }
    /// Name of the mesh; empty when it is written in place.
    ::llvm::StringRef getMeshName() const;
    /// The mesh, looked up from `op` outwards; null if there is none.
    MeshAttr getMesh(::mlir::Operation *op) const;
    /// Shape of one device's part of a tensor of that shape, or failure if a
    /// dimension does not divide. Only axes for which `keep` holds count.
    ::mlir::FailureOr<::llvm::SmallVector<int64_t>>
    getLocalShape(::llvm::ArrayRef<int64_t> shape, MeshAttr mesh,
                  ::llvm::function_ref<bool(::llvm::StringRef)> keep) const;
  }];
}

def Sdy_TensorShardingPerValue
    : Sdy_Attr<"TensorShardingPerValue", "sharding_per_value"> {
  let summary = "One sharding per operand or result of an operation";
  let parameters = (ins ArrayRefParameter<"TensorShardingAttr">:$shardings);
  let extraClassDeclaration = [{
    int64_t size() const { return getShardings().size(); }
    bool empty() const { return getShardings().empty(); }
  }];
}

def Sdy_DimMapping : Sdy_Attr<"DimMapping", "dim_mapping"> {
  let summary = "Factors of one dimension, major to minor; none is written `*`";
  let parameters = (ins ArrayRefParameter<"int64_t">:$factor_indices);
}

def Sdy_TensorMapping : Sdy_Attr<"TensorMapping", "tensor_mapping"> {
  let summary = "Factors of each dimension of a tensor: `[i, jk]`";
  let parameters = (ins ArrayRefParameter<"DimMappingAttr">:$dim_mappings);
}

def Sdy_OpShardingRule : Sdy_Attr<"OpShardingRule", "op_sharding_rule"> {
  let summary = "Which dimensions of operands and results belong together";
  let description = [{
    `<([i, k], [k, j])->([i, j]) {i=8, j=16, k=8} reduction={k}>`. Factors are
    named i to z, then z_1, z_2, …; several in one dimension stand major to
    minor. `custom` marks a rule that the user wrote.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$factor_sizes,
      ArrayRefParameter<"TensorMappingAttr">:$operand_mappings,
      ArrayRefParameter<"TensorMappingAttr">:$result_mappings,
      ArrayRefParameter<"int64_t">:$reduction_factors,
      ArrayRefParameter<"int64_t">:$need_replication_factors,
      ArrayRefParameter<"int64_t">:$permutation_factors,
      ArrayRefParameter<"int64_t">:$blocked_propagation_factors,
      "bool":$is_custom_rule);
}

def Sdy_ManualAxes : Sdy_Attr<"ManualAxes", "manual_axes"> {
  let summary = "Names of the axes a region is manual on: `{\"x\", \"y\"}`";
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$value);
  let extraClassDeclaration = [{
    bool contains(::llvm::StringRef name) const {
      return ::llvm::any_of(getValue(), [&](::mlir::StringAttr axis) {
        return axis.getValue() == name;
      });
    }
  }];
}

#endif // SHOAL_DIALECTS_SDY_ATTRS_TD
