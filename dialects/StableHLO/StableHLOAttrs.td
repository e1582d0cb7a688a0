// Structured attributes and the types of the dialect.

#ifndef SHOAL_STABLEHLO_ATTRS_TD
#define SHOAL_STABLEHLO_ATTRS_TD

include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/TensorEncoding.td"
include "dialects/StableHLO/StableHLOEnums.td"
include "dialects/StableHLO/StableHLOInterfaces.td"

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class StableHLO_Type<string name, string typeMnemonic>
    : TypeDef<Stablehlo_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def StableHLO_TokenType : StableHLO_Type<"Token", "token"> {
  let summary = "orders side effects";
}

def StableHLO_FutureType : StableHLO_Type<"Future", "future"> {
  let summary = "the results of an operation that was started and is not done yet";
  let parameters = (ins ArrayRefParameter<"::mlir::Type">:$types);
  let assemblyFormat = "`<` $types `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Dimension numbers
//===----------------------------------------------------------------------===//

class StableHLO_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Stablehlo_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def StableHLO_Dims : ArrayRefParameter<"int64_t", "dimensions"> {
  let parser = "::mlir::hlo::parseDimSizes($_parser)";
  let printer = "::mlir::hlo::printDimSizes($_printer, $_self)";
}

// Fields may come in any order; empty lists and zeros are not printed.
def StableHLO_ScatterDimensionNumbers : StableHLO_Attr<"ScatterDimensionNumbers", "scatter"> {
  let summary = "the roles of dimensions in a scatter";
  let parameters = (ins
      StableHLO_Dims:$updateWindowDims,
      StableHLO_Dims:$insertedWindowDims,
      StableHLO_Dims:$inputBatchingDims,
      StableHLO_Dims:$scatterIndicesBatchingDims,
      StableHLO_Dims:$scatterDimsToOperandDims,
      "int64_t":$indexVectorDim);
  let hasCustomAssemblyFormat = 1;
}

def StableHLO_GatherDimensionNumbers : StableHLO_Attr<"GatherDimensionNumbers", "gather"> {
  let summary = "the roles of dimensions in a gather";
  let parameters = (ins
      StableHLO_Dims:$offsetDims,
      StableHLO_Dims:$collapsedSliceDims,
      StableHLO_Dims:$operandBatchingDims,
      StableHLO_Dims:$startIndicesBatchingDims,
      StableHLO_Dims:$startIndexMap,
      "int64_t":$indexVectorDim);
  let hasCustomAssemblyFormat = 1;
}

def StableHLO_DotDimensionNumbers : StableHLO_Attr<"DotDimensionNumbers", "dot"> {
  let summary = "the batching and contracting dimensions of a dot_general";
  let parameters = (ins
      StableHLO_Dims:$lhsBatchingDimensions,
      StableHLO_Dims:$rhsBatchingDimensions,
      StableHLO_Dims:$lhsContractingDimensions,
      StableHLO_Dims:$rhsContractingDimensions);
  let hasCustomAssemblyFormat = 1;
}

def StableHLO_DotAlgorithm : StableHLO_Attr<"DotAlgorithm", "dot_algorithm"> {
  let summary = "the exact arithmetic of a dot_general";
  let parameters = (ins
      "::mlir::Type":$lhsPrecisionType,
      "::mlir::Type":$rhsPrecisionType,
      "::mlir::Type":$accumulationType,
      "int64_t":$lhsComponentCount,
      "int64_t":$rhsComponentCount,
      "int64_t":$numPrimitiveOperations,
      "bool":$allowImpreciseAccumulation);
  let assemblyFormat = [{
    `<` `lhs_precision_type` `=` $lhsPrecisionType `,`
        `rhs_precision_type` `=` $rhsPrecisionType `,`
        `accumulation_type` `=` $accumulationType `,`
        `lhs_component_count` `=` $lhsComponentCount `,`
        `rhs_component_count` `=` $rhsComponentCount `,`
        `num_primitive_operations` `=` $numPrimitiveOperations `,`
        `allow_imprecise_accumulation` `=` $allowImpreciseAccumulation `>`
  }];
  let genVerifyDecl = 1;
}

def StableHLO_ConvDimensionNumbers : StableHLO_Attr<"ConvDimensionNumbers", "conv"> {
  let summary = "the roles of dimensions in a convolution";
  let description = "Printed as `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`.";
  let parameters = (ins
      "int64_t":$inputBatchDimension,
      "int64_t":$inputFeatureDimension,
      StableHLO_Dims:$inputSpatialDimensions,
      "int64_t":$kernelInputFeatureDimension,
      "int64_t":$kernelOutputFeatureDimension,
      StableHLO_Dims:$kernelSpatialDimensions,
      "int64_t":$outputBatchDimension,
      "int64_t":$outputFeatureDimension,
      StableHLO_Dims:$outputSpatialDimensions);
  let hasCustomAssemblyFormat = 1;
}

//===----------------------------------------------------------------------===//
// Other structures
//===----------------------------------------------------------------------===//

def StableHLO_ChannelHandle : StableHLO_Attr<"ChannelHandle", "channel_handle"> {
  let summary = "identifies the channel that a collective or a send/recv pair uses";
  let parameters = (ins "int64_t":$handle, "int64_t":$type);
  let assemblyFormat = "`<` struct(params) `>`";
}

def StableHLO_OutputOperandAlias : StableHLO_Attr<"OutputOperandAlias", "output_operand_alias"> {
  let summary = "an output of a custom call that shares memory with an operand";
  let parameters = (ins
      StableHLO_Dims:$outputTupleIndices,
      "int64_t":$operandIndex,
      StableHLO_Dims:$operandTupleIndices);
  let assemblyFormat = [{
    `<` `output_tuple_indices` `=` $outputTupleIndices `,`
        `operand_index` `=` $operandIndex `,`
        `operand_tuple_indices` `=` $operandTupleIndices `>`
  }];
}

def StableHLO_TypeExtensions : StableHLO_Attr<"TypeExtensions", "type_extensions", [
    DeclareAttrInterfaceMethods<VerifiableTensorEncoding>, HLO_BoundedAttrInterface]> {
  let summary = "bounds of a tensor's dynamic dimensions";
  let description = "Printed as `#stablehlo.bounds<?, 4>`.";
  let parameters = (ins ArrayRefParameter<"int64_t">:$bounds);
  let hasCustomAssemblyFormat = 1;
}

def StableHLO_ResultAccuracyAttr : StableHLO_Attr<"ResultAccuracy", "result_accuracy"> {
  let summary = "how exact the result of a transcendental op has to be";
  let parameters = (ins "::llvm::APFloat":$atol, "::llvm::APFloat":$rtol,
                        "int64_t":$ulps, StableHLO_ResultAccuracyModeAttr:$mode);
  // An expression for the attribute itself, as the default value of ops.
  let constBuilderCall = "$0";
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Replica groups by mesh axes
//===----------------------------------------------------------------------===//

def StableHLO_MeshAxisAttr : StableHLO_Attr<"MeshAxis", "mesh_axis"> {
  let summary = "a named axis of a device mesh, and its size";
  let parameters = (ins StringRefParameter<"name">:$name, "int64_t":$size);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def StableHLO_MeshAttr : StableHLO_Attr<"Mesh", "mesh"> {
  let summary = "a mesh of devices";
  let parameters = (ins "::mlir::ArrayAttr":$axes,
                        OptionalParameter<"::mlir::DenseIntElementsAttr">:$deviceIds);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def StableHLO_SubAxisInfoAttr : StableHLO_Attr<"SubAxisInfo", "sub_axis_info"> {
  let summary = "the part of a mesh axis that is `size` long and has `pre_size` before it";
  let parameters = (ins "int64_t":$preSize, "int64_t":$size);
  let assemblyFormat = "`(` $preSize `)` `` $size";
  let genVerifyDecl = 1;
}

def StableHLO_AxisRefAttr : StableHLO_Attr<"AxisRef", "axis_ref"> {
  let summary = "a mesh axis, or a part of one";
  let parameters = (ins StringRefParameter<"name">:$name,
                        OptionalParameter<"::mlir::stablehlo::SubAxisInfoAttr">:$subAxisInfo);
  let hasCustomAssemblyFormat = 1;
}

def StableHLO_ReplicaGroupMeshAxesAttr
    : StableHLO_Attr<"ReplicaGroupMeshAxes", "replica_group_mesh_axes"> {
  let summary = "the groups of devices that differ only along some mesh axes";
  let parameters = (ins "::mlir::Attribute":$mesh, "::mlir::ArrayAttr":$axes);
  let assemblyFormat = "`<` `mesh` `=` $mesh `,` `axes` `=` $axes `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Attributes of ops that are not of this dialect
//===----------------------------------------------------------------------===//

// The groups as a table, or by mesh axes.
def StableHLO_ReplicaGroups : Attr<
    Or<[CPred<"::llvm::isa<::mlir::stablehlo::ReplicaGroupMeshAxesAttr>($_self)">,
        And<[CPred<"::llvm::isa<::mlir::DenseIntElementsAttr>($_self)">,
             CPred<"::llvm::cast<::mlir::DenseIntElementsAttr>($_self)"
                   ".getElementType().isSignlessInteger(64)">]>]>,
    "64-bit signless integer elements attribute or replica groups by mesh axes"> {
  let storageType = "::mlir::Attribute";
  let returnType = "::mlir::Attribute";
  let convertFromStorage = "$_self";
}

def StableHLO_LayoutAttr : Attr<
    And<[IndexElementsAttr.predicate,
         CPred<"::llvm::cast<::mlir::DenseIntElementsAttr>($_self).getType().getRank() == 1">]>,
    "A 1D tensor of index type (layout)"> {
  let storageType = IndexElementsAttr.storageType;
  let returnType = IndexElementsAttr.returnType;
  let convertFromStorage = IndexElementsAttr.convertFromStorage;
}
def StableHLO_ArrayOfLayoutAttr : TypedArrayAttrBase<
    StableHLO_LayoutAttr, "Array of layout (1D tensor of index type) attributes">;

def StableHLO_FlatSymbolRefArrayAttr
    : TypedArrayAttrBase<FlatSymbolRefAttr, "flat symbol ref array attribute"> {
  let constBuilderCall = "::mlir::ArrayAttr::get($_builder.getContext(), $0)";
}
def StableHLO_OutputOperandAliasArrayAttr : TypedArrayAttrBase<
    StableHLO_OutputOperandAlias, "Aliasing attribute for outputs and operands of CustomCall"> {
  let constBuilderCall = "::mlir::ArrayAttr::get($_builder.getContext(), $0)";
}

#endif // SHOAL_STABLEHLO_ATTRS_TD
