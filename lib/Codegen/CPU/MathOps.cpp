// The elementwise ops of StableHLO: which function each is.
#include "Convert.h"
#include "IntegerMath.h"
#include "OpEmitter.h"
#include "ScalarMath.h"

#include "dialects/StableHLO/StableHLO.h"
#include "lib/Codegen/KernelMath/KernelMath.h"
#include "shoal/Support/Contract.h"

using namespace mlir;

namespace shoal::cpu {

using Operands = llvm::ArrayRef<Scalar>;

static Type elementTypeOf(Operation *op) {
  return getElementType(op->getResult(0));
}

/// An op that is one of the two-operand functions of ScalarMath.h.
template <typename OpT>
static void binary(OpEmitters &emitters,
                   Scalar (*fn)(IRBuilder &, Type, Scalar, Scalar),
                   OpCost cost = OpCost::Cheap) {
  emitters.scalar<OpT>(
      [fn](OpT op, Operands x, ElementEmitter &e) {
        IRBuilder &ir = e.ir();
        llvm::IRBuilderBase::FastMathFlagGuard guard(ir);
        if (op->hasAttr(kContractAttr)) {
          llvm::FastMathFlags flags = ir.getFastMathFlags();
          flags.setAllowContract();
          ir.setFastMathFlags(flags);
        }
        return fn(ir, elementTypeOf(op), x[0], x[1]);
      },
      cost);
}

/// An op on floats that is a function of KernelMath/Entries.cpp.
template <typename OpT>
static void function(OpEmitters &emitters, StringRef name) {
  emitters.scalar<OpT>(
      [name](OpT op, Operands x, ElementEmitter &e) {
        return emitFunction(e.ir(), name, elementTypeOf(op), x);
      },
      OpCost::Costly);
}

/// An op on real floats that is one LLVM intrinsic, rounded to the type.
template <typename OpT>
static void intrinsic(OpEmitters &emitters, llvm::Intrinsic::ID id) {
  emitters.scalar<OpT>([id](OpT op, Operands x, ElementEmitter &e) {
    llvm::Value *value = e.ir().CreateUnaryIntrinsic(id, x[0].re);
    return Scalar{roundToType(e.ir(), value, elementTypeOf(op))};
  });
}

/// An op on integers (and i1) that is one LLVM instruction.
template <typename OpT>
static void instruction(OpEmitters &emitters, llvm::Instruction::BinaryOps op) {
  emitters.scalar<OpT>([op](OpT, Operands x, ElementEmitter &e) {
    return Scalar{e.ir().CreateBinOp(op, x[0].re, x[1].re)};
  });
}

static void registerArithmetic(OpEmitters &emitters) {
  binary<stablehlo::AddOp>(emitters, emitAdd);
  binary<stablehlo::SubtractOp>(emitters, emitSubtract);
  binary<stablehlo::MulOp>(emitters, emitMultiply);
  binary<stablehlo::DivOp>(emitters, emitDivide, OpCost::Medium);
  binary<stablehlo::RemOp>(emitters, emitRemainder, OpCost::Costly);
  binary<stablehlo::PowOp>(emitters, emitPower, OpCost::Costly);
  binary<stablehlo::MaxOp>(emitters, emitMaximum);
  binary<stablehlo::MinOp>(emitters, emitMinimum);
  emitters.scalar<stablehlo::NegOp>(
      [](stablehlo::NegOp op, Operands x, ElementEmitter &e) {
        return emitNegate(e.ir(), elementTypeOf(op), x[0]);
      });
  emitters.scalar<stablehlo::AbsOp>(
      [](stablehlo::AbsOp op, Operands x, ElementEmitter &e) {
        return emitAbs(e.ir(), getElementType(op->getOperand(0)), x[0]);
      });
  emitters.scalar<stablehlo::SignOp>(
      [](stablehlo::SignOp op, Operands x, ElementEmitter &e) {
        return emitSign(e.ir(), elementTypeOf(op), x[0]);
      });
  emitters.scalar<stablehlo::ClampOp>(
      [](stablehlo::ClampOp op, Operands x, ElementEmitter &e) {
        Type type = elementTypeOf(op);
        return emitMinimum(e.ir(), type, emitMaximum(e.ir(), type, x[1], x[0]),
                           x[2]);
      });
}

static void registerFunctions(OpEmitters &emitters) {
  function<stablehlo::ExpOp>(emitters, "exp");
  function<stablehlo::Expm1Op>(emitters, "expm1");
  function<stablehlo::LogOp>(emitters, "log");
  function<stablehlo::Log1pOp>(emitters, "log1p");
  function<stablehlo::LogisticOp>(emitters, "logistic");
  function<stablehlo::TanhOp>(emitters, "tanh");
  function<stablehlo::SineOp>(emitters, "sin");
  function<stablehlo::CosineOp>(emitters, "cos");
  function<stablehlo::TanOp>(emitters, "tan");
  function<stablehlo::CbrtOp>(emitters, "cbrt");
  function<stablehlo::RsqrtOp>(emitters, "rsqrt");
  function<stablehlo::Atan2Op>(emitters, "atan2");
  emitters.scalar<stablehlo::SqrtOp>(
      [](stablehlo::SqrtOp op, Operands x, ElementEmitter &e) {
        Type type = elementTypeOf(op);
        if (isComplex(type))
          return emitFunction(e.ir(), "sqrt", type, x);
        llvm::Value *root =
            e.ir().CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, x[0].re);
        return Scalar{roundToType(e.ir(), root, type)};
      },
      OpCost::Medium);
  intrinsic<stablehlo::CeilOp>(emitters, llvm::Intrinsic::ceil);
  intrinsic<stablehlo::FloorOp>(emitters, llvm::Intrinsic::floor);
  intrinsic<stablehlo::RoundOp>(emitters, llvm::Intrinsic::round);
  intrinsic<stablehlo::RoundNearestEvenOp>(emitters,
                                           llvm::Intrinsic::roundeven);
  emitters.scalar<stablehlo::IsFiniteOp>(
      [](stablehlo::IsFiniteOp op, Operands x, ElementEmitter &e) {
        IRBuilder &ir = e.ir();
        llvm::Value *magnitude =
            ir.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x[0].re);
        return Scalar{ir.CreateFCmpOLT(
            magnitude, llvm::ConstantFP::getInfinity(magnitude->getType()))};
      });
  emitters.scalar<stablehlo::ReducePrecisionOp>(
      [](stablehlo::ReducePrecisionOp op, Operands x, ElementEmitter &e) {
        IRBuilder &ir = e.ir();
        Type type = elementTypeOf(op);
        unsigned width = cast<FloatType>(type).getWidth();
        unsigned mantissa = cast<FloatType>(type).getFPMantissaWidth() - 1;
        llvm::Value *result = kernelmath::call(
            ir,
            type.isF64() ? "shoal_reduce_precision_f64"
                         : "shoal_reduce_precision_f32",
            x[0].re->getType(),
            {x[0].re, ir.getInt32(op.getExponentBits()),
             ir.getInt32(op.getMantissaBits()),
             ir.getInt32(width - 1 - mantissa), ir.getInt32(mantissa)});
        return Scalar{roundToType(ir, result, type)};
      },
      OpCost::Medium);
}

static void registerBitwise(OpEmitters &emitters) {
  instruction<stablehlo::AndOp>(emitters, llvm::Instruction::And);
  instruction<stablehlo::OrOp>(emitters, llvm::Instruction::Or);
  instruction<stablehlo::XorOp>(emitters, llvm::Instruction::Xor);
  emitters.scalar<stablehlo::NotOp>(
      [](stablehlo::NotOp, Operands x, ElementEmitter &e) {
        return Scalar{e.ir().CreateNot(x[0].re)};
      });
  emitters.scalar<stablehlo::ShiftLeftOp>(
      [](stablehlo::ShiftLeftOp, Operands x, ElementEmitter &e) {
        return Scalar{emitShiftLeft(e.ir(), x[0].re, x[1].re)};
      });
  emitters.scalar<stablehlo::ShiftRightLogicalOp>(
      [](stablehlo::ShiftRightLogicalOp, Operands x, ElementEmitter &e) {
        return Scalar{emitShiftRight(e.ir(), x[0].re, x[1].re, false)};
      });
  emitters.scalar<stablehlo::ShiftRightArithmeticOp>(
      [](stablehlo::ShiftRightArithmeticOp, Operands x, ElementEmitter &e) {
        return Scalar{emitShiftRight(e.ir(), x[0].re, x[1].re, true)};
      });
  emitters.scalar<stablehlo::PopulationCountOp>([](stablehlo::PopulationCountOp,
                                                   Operands x,
                                                   ElementEmitter &e) {
    return Scalar{e.ir().CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, x[0].re)};
  });
  emitters.scalar<stablehlo::ClzOp>(
      [](stablehlo::ClzOp, Operands x, ElementEmitter &e) {
        return Scalar{e.ir().CreateBinaryIntrinsic(llvm::Intrinsic::ctlz,
                                                   x[0].re, e.ir().getFalse())};
      });
}

static Comparison getComparison(stablehlo::ComparisonDirection direction) {
  switch (direction) {
  case stablehlo::ComparisonDirection::EQ:
    return Comparison::EQ;
  case stablehlo::ComparisonDirection::NE:
    return Comparison::NE;
  case stablehlo::ComparisonDirection::GE:
    return Comparison::GE;
  case stablehlo::ComparisonDirection::GT:
    return Comparison::GT;
  case stablehlo::ComparisonDirection::LE:
    return Comparison::LE;
  case stablehlo::ComparisonDirection::LT:
    return Comparison::LT;
  }
  return Comparison::EQ;
}

static void registerSelection(OpEmitters &emitters) {
  emitters.scalar<stablehlo::CompareOp>([](stablehlo::CompareOp op, Operands x,
                                           ElementEmitter &e) {
    bool total = op.getCompareType() == stablehlo::ComparisonType::TOTALORDER;
    return Scalar{
        emitCompare(e.ir(), getComparison(op.getComparisonDirection()),
                    getElementType(op->getOperand(0)), x[0], x[1], total)};
  });
  emitters.scalar<stablehlo::SelectOp>(
      [](stablehlo::SelectOp, Operands x, ElementEmitter &e) {
        return selectScalar(e.ir(), x[0].re, x[1], x[2]);
      });
  emitters.scalar<stablehlo::ConvertOp>(
      [](stablehlo::ConvertOp op, Operands x, ElementEmitter &e) {
        return convertScalar(e.ir(), x[0], getElementType(op->getOperand(0)),
                             elementTypeOf(op));
      });
  emitters.scalar<stablehlo::ComplexOp>(
      [](stablehlo::ComplexOp, Operands x, ElementEmitter &) {
        return Scalar{x[0].re, x[1].re};
      },
      OpCost::Free);
  emitters.scalar<stablehlo::RealOp>(
      [](stablehlo::RealOp, Operands x, ElementEmitter &) {
        return Scalar{x[0].re};
      },
      OpCost::Free);
  emitters.scalar<stablehlo::ImagOp>(
      [](stablehlo::ImagOp, Operands x, ElementEmitter &) {
        llvm::Value *zero = llvm::ConstantFP::get(x[0].re->getType(), 0.0);
        return Scalar{x[0].im ? x[0].im : zero};
      },
      OpCost::Free);
}

/// bitcast_convert between widths: the last dimension of the narrow side counts
/// the parts of a wide element, lowest bits first.
static Scalar emitBitcast(stablehlo::BitcastConvertOp op,
                          llvm::ArrayRef<IndexExpr> index, ElementEmitter &e) {
  IRBuilder &ir = e.ir();
  Value operand = op->getOperand(0);
  Type from = getElementType(operand), to = elementTypeOf(op);
  unsigned fromBits = getLogicalBits(from), toBits = getLogicalBits(to);
  if (fromBits == toBits)
    return bitsToScalar(ir, scalarToBits(ir, e.element(operand, index), from),
                        to);
  if (fromBits > toBits) {
    llvm::Value *wide =
        scalarToBits(ir, e.element(operand, index.drop_back()), from);
    llvm::Value *part = e.value(index.back());
    llvm::Value *shift = ir.CreateMul(part, ir.getInt64(toBits));
    llvm::Value *bits =
        ir.CreateLShr(wide, ir.CreateZExtOrTrunc(shift, wide->getType()));
    return bitsToScalar(ir, ir.CreateTrunc(bits, ir.getIntNTy(toBits)), to);
  }
  llvm::Type *wide = ir.getIntNTy(toBits);
  llvm::Value *bits = llvm::ConstantInt::get(wide, 0);
  SmallVector<IndexExpr> whole(index.begin(), index.end());
  whole.emplace_back(0);
  for (unsigned i = 0; i < toBits / fromBits; ++i) {
    whole.back() = IndexExpr(int64_t(i));
    llvm::Value *part =
        ir.CreateZExt(scalarToBits(ir, e.element(operand, whole), from), wide);
    bits = ir.CreateOr(bits, ir.CreateShl(part, i * fromBits));
  }
  return bitsToScalar(ir, bits, to);
}

static void registerOthers(OpEmitters &emitters) {
  emitters.element<stablehlo::BitcastConvertOp>(
      [](stablehlo::BitcastConvertOp op, unsigned,
         llvm::ArrayRef<IndexExpr> index,
         ElementEmitter &e) { return emitBitcast(op, index, e); },
      OpCost::Cheap);
  emitters.element<stablehlo::MapOp>(
      [](stablehlo::MapOp op, unsigned, llvm::ArrayRef<IndexExpr> index,
         ElementEmitter &e) {
        SmallVector<Scalar> arguments;
        for (Value operand : op->getOperands())
          arguments.push_back(e.element(operand, index));
        return e.inlineRegion(op->getRegion(0), arguments).front();
      },
      OpCost::Medium);
}

void registerMathOps(OpEmitters &emitters) {
  registerArithmetic(emitters);
  registerFunctions(emitters);
  registerBitwise(emitters);
  registerSelection(emitters);
  registerOthers(emitters);
}

} // namespace shoal::cpu
