// tile.dot: fragments in registers to mma.sync.

#include "TileLowering.h"

#include "shoal/Codegen/GPU/PtxInstructions.h"
#include "shoal/Codegen/GPU/TileLayouts.h"

using namespace mlir;
using namespace shoal;
using namespace shoal::tile;

namespace {
/// Where a fragment of the instruction lies: the first of its registers, by
/// the fragment's coordinates (in fragments).
struct Fragments {
  std::map<std::pair<int64_t, int64_t>, unsigned> first;
  unsigned registers = 1;
};
} // namespace

static std::optional<Fragments> findFragments(LayoutAttr layout,
                                              const LinearLayout &fragment) {
  std::optional<LinearLayout> rest = layout.getMap().divideLeft(fragment);
  if (!rest)
    return std::nullopt;
  Fragments result;
  result.registers = fragment.inSize(kRegister);
  for (int64_t i = 0, n = rest->inSize(kRegister); i < n; ++i) {
    SmallVector<int64_t> place = rest->apply({{kRegister, i}});
    result.first[{place[0], place[1]}] = i * result.registers;
  }
  return result;
}

static std::string typeName(Type type) {
  if (type.isBF16())
    return "bf16";
  if (type.isF16())
    return "f16";
  if (isa<Float8E4M3FNType>(type))
    return "e4m3";
  if (isa<Float8E5M2Type>(type))
    return "e5m2";
  if (type.isF32())
    return "tf32";
  if (type.isF64())
    return "f64";
  if (type.isInteger(8))
    return type.isUnsignedInteger() ? "u8" : "s8";
  return "";
}

/// Registers of a fragment as the instruction's 32-bit (or f64) operands.
static Registers packOperands(Lowering &l, ArrayRef<llvm::Value *> elements) {
  IRBuilder &ir = l.ir;
  llvm::Type *type = elements[0]->getType();
  unsigned bits = type->getPrimitiveSizeInBits();
  if (bits >= 32)
    return Registers(elements.begin(), elements.end());
  unsigned perWord = 32 / bits;
  Registers words;
  for (unsigned i = 0; i < elements.size(); i += perWord) {
    llvm::Value *word =
        llvm::PoisonValue::get(llvm::FixedVectorType::get(type, perWord));
    for (unsigned k = 0; k < perWord; ++k)
      word = ir.CreateInsertElement(word, elements[i + k], k);
    words.push_back(ir.CreateBitCast(word, ir.getInt32Ty()));
  }
  return words;
}

namespace {
/// An f32 operand as tf32 values: itself cut off, and what that left out.
struct Split {
  Registers high, low;
};
} // namespace

static Split splitTf32(Lowering &l, ArrayRef<llvm::Value *> elements,
                       bool withLow) {
  IRBuilder &ir = l.ir;
  llvm::Function *round = declarePtxInstruction(l.module, "cvt_rna_tf32_f32");
  Split split;
  for (llvm::Value *element : elements) {
    if (!withLow) {
      split.high.push_back(ir.CreateCall(round, {element}));
      continue;
    }
    // Cut, not rounded: the largest numbers must not become infinite. The rest
    // of an infinity is not a NaN but 0.
    llvm::Value *high = ir.CreateAnd(
        ir.CreateBitCast(element, ir.getInt32Ty()), ir.getInt32(0xffffe000));
    llvm::Value *rest =
        ir.CreateFSub(element, ir.CreateBitCast(high, ir.getFloatTy()));
    llvm::Value *size = ir.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, element);
    llvm::Constant *infinity = llvm::ConstantFP::getInfinity(ir.getFloatTy());
    rest = ir.CreateSelect(ir.CreateFCmpOEQ(size, infinity),
                           llvm::ConstantFP::get(ir.getFloatTy(), 0.0), rest);
    split.high.push_back(high);
    split.low.push_back(ir.CreateCall(round, {rest}));
  }
  return split;
}

LogicalResult tile::lowerDot(Lowering &l, DotOp op) {
  IRBuilder &ir = l.ir;
  Type typeA = op.getA().getType().getElementType();
  Type typeB = op.getB().getType().getElementType();
  Type typeC = op.getType().getElementType();
  std::string a = typeName(typeA), b = typeName(typeB);
  MmaShape shape = kMma16;
  std::string name;
  if ((a == "bf16" || a == "f16") && b == a) {
    name = "mma_m16n8k16_f32_" + a;
  } else if (a == "tf32" && b == a) {
    shape = kMmaTf32;
    name = "mma_m16n8k8_f32_tf32";
  } else if (typeA.isF64() && typeB.isF64()) {
    shape = kMmaF64;
    name = "mma_m8n8k4_f64_f64";
  } else if ((a[0] == 'e' && b[0] == 'e') ||
             (typeA.isInteger(8) && typeB.isInteger(8))) {
    shape = kMma8;
    name = "mma_m16n8k32_" + std::string(a[0] == 'e' ? "f32_" : "s32_") + a +
           (a == b ? "" : "_" + b);
  }
  bool accumulates = a[0] == 'f' && a == "f64"         ? typeC.isF64()
                     : name.find("_s32_") != std::string::npos
                         ? typeC.isInteger(32)
                         : typeC.isF32();
  llvm::Function *mma =
      name.empty() ? nullptr : declarePtxInstruction(l.module, name);
  if (!mma || !accumulates)
    return op.emitOpError() << "has no tensor core instruction for " << typeA
                            << " x " << typeB << " -> " << typeC;
  if (findPtxInstruction(name)->chip > l.target.sm)
    return op.emitOpError() << "needs sm_" << findPtxInstruction(name)->chip
                            << " for " << typeA << " x " << typeB;

  auto fa = findFragments(tile::getLayout(op.getA()),
                          mmaFragment(shape, MmaOperand::A));
  auto fb = findFragments(tile::getLayout(op.getB()),
                          mmaFragment(shape, MmaOperand::B));
  auto fc = findFragments(tile::getLayout(op),
                          mmaFragment(shape, MmaOperand::C));
  if (!fa || !fb || !fc)
    return op.emitOpError() << "needs operands whose layouts are fragments of "
                            << name;

  Registers result(l.registers(op.getAcc()));
  const Registers &left = l.registers(op.getA()), &right = l.registers(op.getB());
  auto slice = [](const Registers &values, unsigned first, unsigned count) {
    return ArrayRef<llvm::Value *>(values).slice(first, count);
  };
  bool isF32 = typeA.isF32();
  bool three = isF32 && op.getPrecision() != DotPrecision::TF32;
  // Each operand fragment is prepared once.
  std::map<unsigned, Split> preparedA, preparedB;
  auto prepare = [&](std::map<unsigned, Split> &prepared,
                     const Registers &values, unsigned first,
                     unsigned count) -> Split & {
    Split &split = prepared[first];
    if (split.high.empty()) {
      ArrayRef<llvm::Value *> elements = slice(values, first, count);
      if (isF32)
        split = splitTf32(l, elements, three);
      else
        split.high = packOperands(l, elements);
    }
    return split;
  };
  int64_t kCount = op.getA().getType().getDimSize(1) / shape.k;
  // C's fragments in the order of rows, then columns, k outermost: independent
  // instructions stand beside each other.
  for (int64_t k = 0; k < kCount; ++k)
    for (auto &[place, firstC] : fc->first) {
      auto itA = fa->first.find({place.first, k});
      auto itB = fb->first.find({k, place.second});
      if (itA == fa->first.end() || itB == fb->first.end())
        return op.emitOpError() << "needs operands whose layouts have the "
                                   "accumulator's rows and columns";
      Split &x = prepare(preparedA, left, itA->second, fa->registers);
      Split &y = prepare(preparedB, right, itB->second, fb->registers);
      auto issue = [&](const Registers &p, const Registers &q) {
        SmallVector<llvm::Value *> arguments(p);
        arguments.append(q.begin(), q.end());
        for (unsigned i = 0; i < fc->registers; ++i)
          arguments.push_back(result[firstC + i]);
        llvm::Value *sums = ir.CreateCall(mma, arguments);
        for (unsigned i = 0; i < fc->registers; ++i)
          result[firstC + i] = ir.CreateExtractValue(sums, i);
      };
      if (three) {
        issue(x.low, y.high);
        issue(x.high, y.low);
      }
      issue(x.high, y.high);
    }
  l.setRegisters(op, std::move(result));
  return success();
}
