// The dialect itself, and what all op definitions share: the type constraints
// of the specification, traits and the base classes of ops.

#ifndef SHOAL_STABLEHLO_BASE_TD
#define SHOAL_STABLEHLO_BASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Stablehlo_Dialect : Dialect {
  let name = "stablehlo";
  let cppNamespace = "::mlir::stablehlo";
  let summary = "The portable machine learning op set that JAX and PyTorch/XLA print";
  let description = [{
    StableHLO as its public specification defines it: the same ops, attributes
    and assembly as the reference implementation, so that modules printed by
    JAX load here and modules printed here load there. Operands and results are
    ranked tensors, tokens, or tuples of them.
  }];
  let dependentDialects = ["::mlir::quant::QuantDialect"];
  let useDefaultAttributePrinterParser = 0;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
    /// The mnemonics of attributes are read by hand: tensor bounds have two.
    ::mlir::Attribute parseAttribute(::mlir::DialectAsmParser &parser,
                                     ::mlir::Type type) const override;
    void printAttribute(::mlir::Attribute attr,
                        ::mlir::DialectAsmPrinter &os) const override;
    void registerAttributes();
    void registerTypes();
    void registerBytecode();
  }];
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

def HLO_Pred : TypeAlias<I1, "pred (AKA boolean or 1-bit integer)">;
def HLO_SInt : SignlessIntOfWidths<[2, 4, 8, 16, 32, 64]>;
def HLO_UInt : UnsignedIntOfWidths<[2, 4, 8, 16, 32, 64]>;
def HLO_Int : AnyTypeOf<[HLO_SInt, HLO_UInt], "2/4/8/16/32/64-bit integer">;

def HLO_Float : Type<
    Or<[CPred<"::llvm::isa<::mlir::Float4E2M1FNType, ::mlir::Float6E2M3FNType,"
              " ::mlir::Float6E3M2FNType, ::mlir::Float8E3M4Type,"
              " ::mlir::Float8E4M3B11FNUZType, ::mlir::Float8E4M3Type,"
              " ::mlir::Float8E4M3FNType, ::mlir::Float8E4M3FNUZType,"
              " ::mlir::Float8E5M2Type, ::mlir::Float8E5M2FNUZType,"
              " ::mlir::Float8E8M0FNUType, ::mlir::Float16Type,"
              " ::mlir::BFloat16Type, ::mlir::Float32Type,"
              " ::mlir::Float64Type>($_self)">]>,
    "4/6/8/16/32/64-bit float">;
def HLO_Float32Or64 : AnyTypeOf<[F32, F64]>;
def HLO_Complex : Complex<HLO_Float32Or64>;

def HLO_QuantizedInt : Type<
    CPred<"::mlir::hlo::isPerTensorQuantizedElementType($_self)">,
    "per-tensor integer quantized">;
def HLO_PerAxisQuantizedInt : Type<
    CPred<"::mlir::hlo::isPerAxisQuantizedElementType($_self)">,
    "per-axis integer quantized">;
// The quantized dimension of a per-axis type lies inside the tensor, and has
// as many elements as there are scales.
def HLO_IsValidQuantizedDimension
    : CPred<"::mlir::hlo::isValidQuantizedDimension($_self)">;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

def HLO_Token : Type<CPred<"::llvm::isa<::mlir::stablehlo::TokenType>($_self)">, "token">;
def HLO_Future : Type<CPred<"::llvm::isa<::mlir::stablehlo::FutureType>($_self)">, "future">;

def I32RankedTensor : RankedTensorOf<[I32]>;
def UI32RankedTensor : RankedTensorOf<[UI32]>;

def HLO_Tensor : RankedTensorOf<
    [HLO_Float, HLO_Pred, HLO_Int, HLO_Complex, HLO_QuantizedInt]>;
def HLO_TensorOrPerAxisQuantizedTensor : RankedTensorOf<
    [HLO_Float, HLO_Pred, HLO_Int, HLO_Complex, HLO_QuantizedInt, HLO_PerAxisQuantizedInt],
    [HLO_IsValidQuantizedDimension]>;
def HLO_NonQuantizedTensor : RankedTensorOf<[HLO_Float, HLO_Pred, HLO_Int, HLO_Complex]>;
def HLO_QuantizedIntTensor : RankedTensorOf<[HLO_QuantizedInt]>;
def HLO_PerAxisQuantizedIntTensor : RankedTensorOf<
    [HLO_PerAxisQuantizedInt], [HLO_IsValidQuantizedDimension]>;
def HLO_QuantizedIntOrPerAxisQuantizedIntTensor : RankedTensorOf<
    [HLO_QuantizedInt, HLO_PerAxisQuantizedInt], [HLO_IsValidQuantizedDimension]>;

def HLO_ScalarIntTensor : 0DTensorOf<[HLO_Int]>;
def HLO_ScalarTensor : 0DTensorOf<[HLO_Float, HLO_Pred, HLO_Int, HLO_Complex, HLO_QuantizedInt]>;
def HLO_IntTensor : RankedTensorOf<[HLO_Int]>;
def HLO_FpTensor : RankedTensorOf<[HLO_Float]>;
def HLO_Fp32Or64Tensor : RankedTensorOf<[HLO_Float32Or64]>;
def HLO_ComplexTensor : RankedTensorOf<[HLO_Complex]>;
def HLO_PredTensor : RankedTensorOf<[HLO_Pred]>;
def HLO_PredOrIntTensor : RankedTensorOf<[HLO_Pred, HLO_Int]>;
def HLO_PredIntOrFpTensor : RankedTensorOf<[HLO_Pred, HLO_Int, HLO_Float]>;
def HLO_PredIntFpOrQuantizedTensor : RankedTensorOf<[HLO_Pred, HLO_Int, HLO_Float, HLO_QuantizedInt]>;
def HLO_IntOrFpTensor : RankedTensorOf<[HLO_Int, HLO_Float]>;
def HLO_FpOrComplexTensor : RankedTensorOf<[HLO_Float, HLO_Complex]>;
def HLO_FpOrQuantizedIntTensor : RankedTensorOf<[HLO_Float, HLO_QuantizedInt]>;
def HLO_FpComplexOrQuantizedIntTensor : RankedTensorOf<[HLO_Float, HLO_Complex, HLO_QuantizedInt]>;
def HLO_IntFpOrComplexOrQuantizedIntTensor : RankedTensorOf<
    [HLO_Int, HLO_Float, HLO_Complex, HLO_QuantizedInt]>;

def HLO_Tuple : NestedTupleOf<[HLO_Tensor, HLO_PerAxisQuantizedIntTensor, HLO_Token]>;
def HLO_TensorOrToken : AnyTypeOf<[HLO_Tensor, HLO_Token]>;
def HLO_TensorOrPerAxisQuantizedTensorOrToken : AnyTypeOf<
    [HLO_Tensor, HLO_PerAxisQuantizedIntTensor, HLO_Token]>;
def HLO_TensorOrPerAxisQuantizedTensorOrTokenOrTuple : AnyTypeOf<
    [HLO_Tensor, HLO_PerAxisQuantizedIntTensor, HLO_Token, HLO_Tuple]>;
def HLO_TensorOrPerAxisQuantizedTensorOrTokenOrFuture : AnyTypeOf<
    [HLO_Tensor, HLO_PerAxisQuantizedIntTensor, HLO_Token, HLO_Future]>;
// Custom calls also take unranked tensors and buffers.
def HLO_CustomCallValue : AnyTypeOf<
    [TensorOf<[AnyType]>, HLO_Token, HLO_Future, AnyMemRef,
     NestedTupleOf<[TensorOf<[AnyType]>, HLO_Token]>]>;

def HLO_DimensionValue : AnyTypeOf<[Index, HLO_Int]>;
// A shape given by a tensor, one element per dimension.
def HLO_DimensionTensor : 1DTensorOf<[HLO_DimensionValue]>;
def HLO_StaticDimensionTensor : RankedTensorOf<
    [HLO_DimensionValue], [HasStaticShapePred, HasAnyRankOfPred<[1]>],
    "statically shaped 1-dimensional tensor">;
def HLO_Static1DIntTensor : RankedTensorOf<
    [HLO_Int], [HasStaticShapePred, HasAnyRankOfPred<[1]>],
    "statically shaped 1-dimensional integer tensor">;
def HLO_Static2DIntTensor : RankedTensorOf<
    [HLO_Int], [HasStaticShapePred, HasAnyRankOfPred<[2]>],
    "statically shaped 2-dimensional integer tensor">;
def HLO_StaticShapeTensor : StaticShapeTensorOf<
    [HLO_Float, HLO_Pred, HLO_Int, HLO_Complex, HLO_QuantizedInt]>;
def HLO_StaticShapeTensorOrPerAxisQuantizedTensor : RankedTensorOf<
    [HLO_Float, HLO_Pred, HLO_Int, HLO_Complex, HLO_QuantizedInt, HLO_PerAxisQuantizedInt],
    [HLO_IsValidQuantizedDimension, HasStaticShapePred], "statically shaped tensor">;
def HLO_StaticShapeIntOrFpTensor : StaticShapeTensorOf<[HLO_Int, HLO_Float]>;
def HLO_StaticShapeIntFpComplexOrQuantizedTensor : StaticShapeTensorOf<
    [HLO_Int, HLO_Float, HLO_Complex, HLO_QuantizedInt]>;

//===----------------------------------------------------------------------===//
// Traits
//===----------------------------------------------------------------------===//

class HLO_NativeOpTrait<string name> : NativeOpTrait<name> {
  let cppNamespace = "::mlir::hlo::OpTrait";
}

// The operands may change places. (MLIR's own trait brings folders along, and
// these ops are kept as the user wrote them.)
def HLO_Commutative : HLO_NativeOpTrait<"IsCommutative">;
// The i-th result has the i-th operand's type.
def HLO_PairwiseSameOperandAndResultType
    : HLO_NativeOpTrait<"PairwiseSameOperandAndResultType">;
// All operands and results are of one type, up to unknown dimensions and
// quantization parameters; the result is inferred from the operands.
def HLO_CompatibleOperandsAndResultType : TraitList<
    [InferTypeOpInterface, HLO_NativeOpTrait<"CompatibleOperandsAndResultType">]>;
def HLO_CompatibleOperandsElementType
    : HLO_NativeOpTrait<"CompatibleOperandsElementType">;
def HLO_CompatibleOperandsAndResultElementType
    : HLO_NativeOpTrait<"CompatibleOperandsAndResultElementType">;

// Result types are computed in InferTypes.cpp from operands, attributes and
// regions.
def HLO_InferTypes : DeclareOpInterfaceMethods<InferTypeOpInterface>;

// An op that touches no memory, but must not be moved to where it would run
// for other devices, or a different number of times.
def HLO_CollectiveEffects : TraitList<[NoMemoryEffect]>;

//===----------------------------------------------------------------------===//
// Op classes
//===----------------------------------------------------------------------===//

class StableHLO_Op<string mnemonic, list<Trait> traits = []>
    : Op<Stablehlo_Dialect, mnemonic, traits>;

// An op whose result type is inferred. What the user wrote may be less or more
// static than what is inferred.
class StableHLO_InferredOp<string mnemonic, list<Trait> traits = []>
    : StableHLO_Op<mnemonic, traits> {
  code compatibleReturnTypes = [{
    static bool isCompatibleReturnTypes(::mlir::TypeRange inferred,
                                        ::mlir::TypeRange actual) {
      return ::mlir::hlo::isCompatibleForHloTypeInference(inferred, actual);
    }
  }];
  let extraClassDeclaration = compatibleReturnTypes;
}

#endif // SHOAL_STABLEHLO_BASE_TD
