// Control flow, calls, and ops that only order or group values.

#ifndef SHOAL_STABLEHLO_CONTROLFLOW_TD
#define SHOAL_STABLEHLO_CONTROLFLOW_TD

include "dialects/StableHLO/StableHLOAttrs.td"

defvar HLO_ControlFlowTraits = [RecursiveMemoryEffects, RecursivelySpeculatable,
                                SingleBlockImplicitTerminator<"ReturnOp">];

def StableHLO_ReturnOp : StableHLO_Op<"return", [Pure, ReturnLike, Terminator]> {
  let summary = "ends a region and gives its results";
  let arguments = (ins Variadic<HLO_CustomCallValue>:$results);
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange{}); }]>];
  let assemblyFormat = "$results attr-dict (`:` type($results)^)?";
}

def StableHLO_IfOp : StableHLO_InferredOp<"if", !listconcat(HLO_ControlFlowTraits, [HLO_InferTypes])> {
  let summary = "runs one of two regions";
  let arguments = (ins HLO_PredTensor:$pred);
  let regions = (region SizedRegion<1>:$true_branch, SizedRegion<1>:$false_branch);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensorOrTokenOrFuture>);
}

def StableHLO_CaseOp : StableHLO_InferredOp<"case", !listconcat(HLO_ControlFlowTraits, [HLO_InferTypes])> {
  let summary = "runs the region with the given number, or else the last one";
  let arguments = (ins I32RankedTensor:$index);
  let regions = (region VariadicRegion<SizedRegion<1>>:$branches);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensorOrTokenOrFuture>);
}

def StableHLO_WhileOp : StableHLO_InferredOp<"while", !listconcat(HLO_ControlFlowTraits,
    [HLO_InferTypes, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>])> {
  let summary = "runs its body as long as its condition holds";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensorOrTokenOrFuture>:$operand);
  let regions = (region SizedRegion<1>:$cond, SizedRegion<1>:$body);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensorOrTokenOrFuture>);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def StableHLO_AfterAllOp : StableHLO_Op<"after_all", [Pure, HLO_InferTypes]> {
  let summary = "a token that comes after others";
  let arguments = (ins Variadic<HLO_Token>:$inputs);
  let results = (outs HLO_Token:$result);
  let assemblyFormat = [{
    $inputs attr-dict `:`
      custom<VariadicSameOperandsAndResultType>(ref($inputs), type($inputs), type($result))
  }];
}

def StableHLO_OptimizationBarrierOp : StableHLO_InferredOp<"optimization_barrier",
    [Pure, HLO_PairwiseSameOperandAndResultType, HLO_InferTypes]> {
  let summary = "nothing that the results depend on is moved to after it";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensorOrTokenOrFuture>:$operand);
  let results = (outs Variadic<HLO_TensorOrPerAxisQuantizedTensorOrTokenOrFuture>:$result);
  let assemblyFormat = [{
    attr-dict ($operand^ `:` custom<PairwiseOpType>(type($operand), type($result))) : (`(` `)`)?
  }];
}

def StableHLO_TupleOp : StableHLO_Op<"tuple", [Pure, HLO_InferTypes]> {
  let summary = "values grouped into one";
  let arguments = (ins Variadic<HLO_TensorOrPerAxisQuantizedTensorOrTokenOrTuple>:$val);
  let results = (outs HLO_Tuple:$result);
  let assemblyFormat = "$val attr-dict `:` custom<TupleOpType>(type($val), type($result))";
}

def StableHLO_GetTupleElementOp : StableHLO_Op<"get_tuple_element", [Pure, HLO_InferTypes]> {
  let summary = "one value of a tuple";
  let arguments = (ins HLO_Tuple:$operand, I32Attr:$index);
  let results = (outs HLO_TensorOrPerAxisQuantizedTensorOrTokenOrTuple);
  let assemblyFormat = [{
    $operand `[` $index `]` attr-dict `:` functional-type(operands, results)
  }];
}

def StableHLO_CustomCallOp : StableHLO_Op<"custom_call",
    [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "a function outside of the program";
  let arguments = (ins Variadic<HLO_CustomCallValue>:$inputs, StrAttr:$call_target_name,
      DefaultValuedOptionalAttr<BoolAttr, "false">:$has_side_effect,
      OptionalAttr<AnyAttrOf<[StrAttr, DictionaryAttr]>>:$backend_config,
      DefaultValuedOptionalAttr<StableHLO_CustomCallApiVersionAttr,
          "::mlir::stablehlo::CustomCallApiVersion::API_VERSION_ORIGINAL">:$api_version,
      DefaultValuedOptionalAttr<StableHLO_FlatSymbolRefArrayAttr, "{}">:$called_computations,
      OptionalAttr<StableHLO_ArrayOfLayoutAttr>:$operand_layouts,
      OptionalAttr<StableHLO_ArrayOfLayoutAttr>:$result_layouts,
      DefaultValuedOptionalAttr<StableHLO_OutputOperandAliasArrayAttr, "{}">:$output_operand_aliases);
  let results = (outs Variadic<HLO_CustomCallValue>);
  let extraClassDeclaration = [{
    /// backend_config or, where there is none, the empty string.
    ::mlir::Attribute getBackendConfigOrEmpty() {
      return getBackendConfig().value_or(
          ::mlir::StringAttr::get(getContext(), ""));
    }
  }];
  let assemblyFormat = [{
    custom<CustomCallTarget>($call_target_name) `(` $inputs `)` attr-dict `:`
      functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def StableHLO_CompositeOp : StableHLO_Op<"composite",
    [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "an op that stands for a function made of other ops";
  let arguments = (ins Variadic<HLO_CustomCallValue>:$inputs, StrAttr:$name,
      DefaultValuedOptionalAttr<DictionaryAttr, "{}">:$composite_attributes,
      FlatSymbolRefAttr:$decomposition,
      DefaultValuedOptionalAttr<I32Attr, "0">:$version);
  let regions = (region VariadicRegion<AnyRegion>:$composite_regions);
  let results = (outs Variadic<HLO_CustomCallValue>);
  let assemblyFormat = [{
    $name $inputs (` ` `(` $composite_regions^ `)`)? attr-dict `:`
      functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // SHOAL_STABLEHLO_CONTROLFLOW_TD
