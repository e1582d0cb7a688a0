//===- Shoal.td - Operations of the shoal dialect -------------------------===//
#ifndef SHOAL_TD
#define SHOAL_TD

include "dialects/Shoal/ShoalAttrs.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Shoal_Op<string mnemonic, list<Trait> traits = []>
    : Op<Shoal_Dialect, mnemonic, traits>;

def Shoal_MeshOp : Shoal_Op<"mesh", [Symbol]> {
  let summary = "Names a mesh of devices";
  let description = [{
    ```mlir
    shoal.mesh @m <["dp"=2, "tp"=4]>
    shoal.mesh @n <["x"=2], device_ids=[1, 0], topology={"x" = (50.0, 5.0)}>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Shoal_MeshAttr:$mesh);
  let assemblyFormat = "$sym_name $mesh attr-dict";
  let hasVerifier = 1;
}

def Shoal_ConstraintOp : Shoal_Op<"constraint",
    [SameOperandsAndResultType]> {
  let summary = "The user's demand that a value be sharded so";
  let description = [{
    ```mlir
    %1 = shoal.constraint %0 <@m, [{"dp"}, {?} ]> : tensor<8x8xf32>
    ```
    Closed dimensions are fixed; open ones may take further axes. Without uses
    it is a demand on the operand; so it is not pure, and nobody removes it.
  }];
  let arguments = (ins AnyType:$input, Shoal_ShardingAttr:$sharding);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input $sharding attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Shoal_ReshardOp : Shoal_Op<"reshard", [Pure, SameOperandsAndResultType]> {
  let summary = "The same tensor in another sharding";
  let description = [{
    ```mlir
    %1 = shoal.reshard %0 <@m, [{"dp"}, {} ]> : tensor<8x8xf32>
    ```
    In the phase `sharded` it stands exactly where a value's sharding and the
    form of its use differ. What moves is planned in `lib/Partition`.
  }];
  let arguments = (ins AnyType:$input, Shoal_ShardingAttr:$sharding);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$input $sharding attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Shoal_GroupOp : Shoal_Op<"group"> {
  let summary = "Puts a value into a group whose members are sharded alike";
  let description = [{
    ```mlir
    shoal.group %0 id = 1 : tensor<8x8xf32>
    ```
    All values of one id have the same shape and get the same sharding.
  }];
  let arguments = (ins AnyType:$input, I64Attr:$id);
  let assemblyFormat = "$input `id` `=` $id attr-dict `:` type($input)";
}

def Shoal_BarrierOp : Shoal_Op<"barrier", [Pure, SameOperandsAndResultType]> {
  let summary = "Lets shardings pass in the stated directions only";
  let description = [{
    ```mlir
    %1 = shoal.barrier %0 allowed_direction = forward : tensor<8x8xf32>
    ```
    `forward` is from operand to result.
  }];
  let arguments = (ins AnyType:$input, Shoal_DirectionAttr:$allowed_direction);
  let results = (outs AnyType:$result);
  let assemblyFormat = [{
    $input `allowed_direction` `=` $allowed_direction attr-dict `:` type($result)
  }];
}

def Shoal_ManualOp : Shoal_Op<"manual", [IsolatedFromAbove,
    RecursiveMemoryEffects, RecursivelySpeculatable, SingleBlock]> {
  let summary = "A region written for one device along some axes";
  let description = [{
    ```mlir
    %1 = shoal.manual(%0) in_shardings=[<@m, [{"dp"}, {?} ]>]
        out_shardings=[<@m, [{"dp"}, {?} ]>] manual_axes={"dp"}
        (%a: tensor<4x8xf32>) {
      shoal.return %a : tensor<4x8xf32>
    } : (tensor<8x8xf32>) -> tensor<8x8xf32>
    ```
    Inside, shapes are local to the manual axes and the mesh is what is left of
    it, the free axes. In each dimension manual axes stand before free ones.
    Shapes divide evenly along the manual axes. Regions nest; an inner one may
    not name axes that an outer one has taken. Nothing is captured.
  }];
  let arguments = (ins Variadic<AnyType>:$inputs,
      Shoal_ShardingPerValueAttr:$in_shardings,
      Shoal_ShardingPerValueAttr:$out_shardings,
      StrArrayAttr:$manual_axes);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::shoal::ShardingAttr getInSharding(unsigned i) {
      return getInShardings().getShardings()[i];
    }
    ::shoal::ShardingAttr getOutSharding(unsigned i) {
      return getOutShardings().getShardings()[i];
    }
    bool isManualAxis(::llvm::StringRef name);
    /// Shape of a value of `type` inside the region, given its sharding
    /// outside; null if it does not divide or the mesh is unknown.
    ::mlir::Type getLocalType(::mlir::Type type, ::shoal::ShardingAttr sharding);
    /// `sharding` without the manual axes: what holds inside the region.
    ::shoal::ShardingAttr getFreeSharding(::shoal::ShardingAttr sharding);
    ::mlir::Operation *getReturn() { return getBody().front().getTerminator(); }
  }];
}

def Shoal_ReturnOp : Shoal_Op<"return", [Pure, Terminator, ReturnLike,
                                         ParentOneOf<["ManualOp"]>]> {
  let summary = "Ends the region of a shoal.manual";
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
}

def Shoal_RuleOp : Shoal_Op<"rule"> {
  let summary = "The sharding rule of all custom calls or composites of a name";
  let description = [{
    ```mlir
    shoal.rule "my_matmul" <([i, k], [k, j])->([i, j]) {i, j, k} reduction={k}>
    ```
    Stands at module level. Factor sizes are left out: they come from each
    call's shapes. A `shoal.sharding_rule` attribute on the call wins over it.
  }];
  let arguments = (ins StrAttr:$target, Shoal_OpRuleAttr:$rule);
  let assemblyFormat = "$target $rule attr-dict";
}

#endif // SHOAL_TD
