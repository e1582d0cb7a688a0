// Integers of scalars, in the arithmetic of their types.
#include "shoal/Analysis/IntegerScalars.h"

#include "dialects/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace shoal;

namespace {

class IntegerScalarsTest : public testing::Test {
protected:
  IntegerScalarsTest() {
    context.loadDialect<func::FuncDialect, stablehlo::StablehloDialect>();
  }

  /// What the body returns, its argument (an i32) being `x`.
  std::optional<int64_t> evaluate(StringRef body, StringRef type, int64_t x) {
    std::string text = ("func.func @f(%x: tensor<i32>) -> tensor<" + type +
                        "> {\n" + body + "\nreturn %r : tensor<" + type +
                        ">\n}")
                           .str();
    module = parseSourceString<ModuleOp>(text, &context);
    if (!module) {
      ADD_FAILURE() << text;
      return std::nullopt;
    }
    func::FuncOp func = *module->getOps<func::FuncOp>().begin();
    Value value = func.front().getTerminator()->getOperand(0);
    auto number = evaluateInteger(value, [&](Value leaf) {
      return leaf == func.getArgument(0)
                 ? std::optional(llvm::APInt(32, x, /*isSigned=*/true))
                 : std::nullopt;
    });
    return number ? asInt64(*number, getElementTypeOrSelf(value.getType()))
                  : std::nullopt;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(IntegerScalarsTest, ArithmeticWrapsAround) {
  const char *body = "%n = stablehlo.convert %x : (tensor<i32>) -> tensor<i8>\n"
                     "%r = stablehlo.add %n, %n : tensor<i8>";
  EXPECT_EQ(evaluate(body, "i8", 50), 100);
  EXPECT_EQ(evaluate(body, "i8", 100), -56);
}

TEST_F(IntegerScalarsTest, UnsignedNumbersStayPositive) {
  const char *body =
      "%n = stablehlo.convert %x : (tensor<i32>) -> tensor<ui32>\n"
      "%c = stablehlo.constant dense<2> : tensor<ui32>\n"
      "%r = stablehlo.divide %n, %c : tensor<ui32>";
  EXPECT_EQ(evaluate(body, "ui32", -2), 2147483647);
}

TEST_F(IntegerScalarsTest, WhatIsNotZeroIsTrue) {
  const char *body = "%r = stablehlo.convert %x : (tensor<i32>) -> tensor<i1>";
  EXPECT_EQ(evaluate(body, "i1", 2), 1);
  EXPECT_EQ(evaluate(body, "i1", 0), 0);
  const char *both = "%n = stablehlo.convert %x : (tensor<i32>) -> tensor<i1>\n"
                     "%r = stablehlo.add %n, %n : tensor<i1>";
  EXPECT_EQ(evaluate(both, "i1", 4), 1);
}

TEST_F(IntegerScalarsTest, DivisionByZeroIsNotKnown) {
  const char *body = "%c = stablehlo.constant dense<0> : tensor<i32>\n"
                     "%r = stablehlo.divide %x, %c : tensor<i32>";
  EXPECT_EQ(evaluate(body, "i32", 3), std::nullopt);
}

} // namespace
