// Regions of scalar StableHLO ops as functions, by the scalar emitter that
// kernels of the CPU target use too.

#include "TileLowering.h"

#include "../../CPU/Convert.h"
#include "../../CPU/OpEmitter.h"

#include "dialects/StableHLO/StableHLO.h"

using namespace mlir;
using namespace shoal;

namespace {
/// Elements of rank-0 tensors only: arguments, constants, and what is computed
/// from them.
class BodyEmitter : public cpu::ElementEmitter {
public:
  BodyEmitter(llvm::Function *function, Splits &splits)
      : ElementEmitter(function, splits, /*dryRun=*/false) {
    builder.SetInsertPoint(
        llvm::BasicBlock::Create(function->getContext(), "entry", function));
  }

  cpu::Scalar element(Value tensor, ArrayRef<cpu::IndexExpr> index) override {
    if (const cpu::Scalar *known = recall(tensor, index))
      return *known;
    Operation *op = tensor.getDefiningOp();
    if (!op || !index.empty())
      return fail(tensor.getParentRegion()->getParentOp(),
                  "its region is not one of scalar ops");
    cpu::Scalar result;
    if (auto constant = dyn_cast<stablehlo::ConstantOp>(op)) {
      auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
      if (!dense)
        return fail(op, "its value is not available");
      result = cpu::constantElement(builder, dense, 0);
    } else {
      const cpu::OpEmitter *emitter = cpu::OpEmitters::get().lookup(op);
      if (!emitter || emitter->kind == cpu::OpEmitter::Kind::Buffer)
        return fail(op, "it cannot stand in a scalar region");
      if (emitter->kind == cpu::OpEmitter::Kind::Scalar) {
        SmallVector<cpu::Scalar> operands;
        for (Value operand : op->getOperands())
          operands.push_back(element(operand, {}));
        result = emitter->scalar(op, operands, *this);
      } else {
        result = emitter->element(
            op, cast<OpResult>(tensor).getResultNumber(), index, *this);
        if (recall(tensor, index))
          return result;
      }
    }
    if (!result.re)
      return fail(op, "its emitter gave no value");
    remember(tensor, index, result);
    return result;
  }

  cpu::Scalar fromRegister(llvm::Value *value, Type type) {
    return {cpu::isNarrowFloat(type)
                ? cpu::decodeNarrowFloat(builder, value, type)
                : value};
  }
  llvm::Value *toRegister(cpu::Scalar scalar, Type type) {
    return cpu::isNarrowFloat(type)
               ? cpu::encodeNarrowFloat(builder, scalar.re, type)
               : scalar.re;
  }
};
} // namespace

llvm::Type *tile::getRegisterType(Type elementType,
                                  llvm::LLVMContext &context) {
  return cpu::isNarrowFloat(elementType)
             ? cpu::getMemoryType(elementType, context)
             : cpu::getCarrierType(elementType, context);
}

int64_t tile::getElementBytes(Type elementType) {
  return cpu::getElementBytes(elementType);
}

llvm::Function *tile::emitScalarBody(Region &region, llvm::Module &module,
                                     StringRef name) {
  llvm::LLVMContext &context = module.getContext();
  Block &block = region.front();
  Operation *yield = block.getTerminator();
  SmallVector<llvm::Type *> arguments, results;
  for (Type type : block.getArgumentTypes())
    arguments.push_back(getRegisterType(cpu::getElementType(type), context));
  for (Type type : yield->getOperandTypes())
    results.push_back(getRegisterType(cpu::getElementType(type), context));
  llvm::Type *resultType = results.size() == 1
                               ? results.front()
                               : llvm::StructType::get(context, results);
  auto *function = llvm::Function::Create(
      llvm::FunctionType::get(resultType, arguments, false),
      llvm::GlobalValue::InternalLinkage, name, module);
  function->addFnAttr(llvm::Attribute::AlwaysInline);
  function->setDoesNotThrow();

  cpu::ElementEmitter::Splits splits;
  BodyEmitter emitter(function, splits);
  SmallVector<cpu::Scalar> scalars;
  for (auto [argument, value] :
       llvm::zip_equal(block.getArguments(), function->args()))
    scalars.push_back(
        emitter.fromRegister(&value, cpu::getElementType(argument)));
  SmallVector<cpu::Scalar> values = emitter.inlineRegion(region, scalars);
  if (emitter.hasFailed()) {
    function->eraseFromParent();
    return nullptr;
  }
  IRBuilder &ir = emitter.ir();
  llvm::Value *result = nullptr;
  if (results.size() == 1) {
    result = emitter.toRegister(values[0],
                                cpu::getElementType(yield->getOperand(0)));
  } else {
    result = llvm::PoisonValue::get(resultType);
    for (auto [i, value] : llvm::enumerate(values))
      result = ir.CreateInsertValue(
          result,
          emitter.toRegister(value,
                             cpu::getElementType(yield->getOperand(i))),
          i);
  }
  ir.CreateRet(result);
  return function;
}
