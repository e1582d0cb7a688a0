// #shoal.op_rule: assembly in the manner of Shardy's op_sharding_rule.
#include "dialects/Shoal/Shoal.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace shoal;

/// i, j, …, z, then a, …, h would clash with nothing, but Shardy goes on with
/// z_1, z_2, …; so do we.
static std::string factorName(int64_t factor) {
  constexpr int64_t kLetters = 'z' - 'i' + 1;
  if (factor < kLetters)
    return std::string(1, static_cast<char>('i' + factor));
  return "z_" + std::to_string(factor - kLetters + 1);
}

static void printDimFactors(AsmPrinter &p, DimFactorsAttr dim) {
  if (dim.getFactors().empty())
    p << '_';
  for (int64_t factor : dim.getFactors())
    p << factorName(factor);
}

static void printTensorFactors(AsmPrinter &p, TensorFactorsAttr tensor) {
  p << '[';
  llvm::interleaveComma(tensor.getDims(), p,
                        [&](DimFactorsAttr dim) { printDimFactors(p, dim); });
  p << ']';
}

namespace {
/// Parsing state: the names seen so far, numbered in order of appearance; the
/// size list may renumber nothing, it only adds sizes.
struct RuleParser {
  AsmParser &p;
  llvm::StringMap<int64_t> numbers;

  /// Splits "ijz_1" into factor names.
  ParseResult splitNames(StringRef text, SmallVectorImpl<int64_t> &factors,
                         bool define) {
    while (!text.empty()) {
      size_t length = 1;
      if (text.size() > 1 && text[1] == '_')
        length = std::max<size_t>(
            2, std::min(text.size(), text.find_first_not_of("0123456789", 2)));
      StringRef name = text.take_front(length);
      text = text.drop_front(length);
      auto it = numbers.find(name);
      if (it == numbers.end()) {
        if (!define)
          return p.emitError(p.getCurrentLocation())
                 << "unknown factor '" << name << "'";
        it = numbers.insert({name, numbers.size()}).first;
      }
      factors.push_back(it->second);
    }
    return success();
  }

  /// Factor order[n] gets number n.
  void renumber(ArrayRef<int64_t> order, SmallVectorImpl<int64_t> &sizes,
                SmallVectorImpl<TensorFactorsAttr> &operands,
                SmallVectorImpl<TensorFactorsAttr> &results) {
    MLIRContext *context = p.getContext();
    SmallVector<int64_t> number(order.size()), sorted(order.size());
    for (auto [n, factor] : llvm::enumerate(order)) {
      number[factor] = n;
      sorted[n] = sizes[factor];
    }
    sizes = sorted;
    for (auto &entry : numbers)
      entry.second = number[entry.second];
    for (auto *list : {&operands, &results})
      for (TensorFactorsAttr &tensor : *list) {
        SmallVector<DimFactorsAttr> dims;
        for (DimFactorsAttr dim : tensor.getDims()) {
          SmallVector<int64_t> factors;
          for (int64_t factor : dim.getFactors())
            factors.push_back(number[factor]);
          dims.push_back(DimFactorsAttr::get(context, factors));
        }
        tensor = TensorFactorsAttr::get(context, dims);
      }
  }

  ParseResult parseDim(DimFactorsAttr &dim) {
    SmallVector<int64_t> factors;
    StringRef keyword;
    if (p.parseKeyword(&keyword))
      return failure();
    if (keyword != "_" && splitNames(keyword, factors, /*define=*/true))
      return failure();
    dim = DimFactorsAttr::get(p.getContext(), factors);
    return success();
  }

  ParseResult parseTensor(TensorFactorsAttr &tensor) {
    SmallVector<DimFactorsAttr> dims;
    if (p.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
          return parseDim(dims.emplace_back());
        }))
      return failure();
    tensor = TensorFactorsAttr::get(p.getContext(), dims);
    return success();
  }

  ParseResult parseFactorSet(SmallVectorImpl<int64_t> &factors) {
    return p.parseCommaSeparatedList(
        AsmParser::Delimiter::Braces, [&]() -> ParseResult {
          StringRef keyword;
          return failure(p.parseKeyword(&keyword) ||
                         splitNames(keyword, factors, /*define=*/false));
        });
  }
};
} // namespace

Attribute DimFactorsAttr::parse(AsmParser &p, Type) {
  SmallVector<int64_t> factors;
  if (p.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, [&] {
        return p.parseInteger(factors.emplace_back());
      }))
    return {};
  return get(p.getContext(), factors);
}
void DimFactorsAttr::print(AsmPrinter &p) const {
  p << '<';
  llvm::interleaveComma(getFactors(), p);
  p << '>';
}

Attribute TensorFactorsAttr::parse(AsmParser &p, Type) {
  SmallVector<DimFactorsAttr> dims;
  if (p.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                [&]() -> ParseResult {
                                  auto dim = cast_if_present<DimFactorsAttr>(
                                      DimFactorsAttr::parse(p, Type()));
                                  dims.push_back(dim);
                                  return success(dim != nullptr);
                                }))
    return {};
  return get(p.getContext(), dims);
}
void TensorFactorsAttr::print(AsmPrinter &p) const {
  p << '<';
  llvm::interleaveComma(getDims(), p, [&](DimFactorsAttr d) { d.print(p); });
  p << '>';
}

Attribute OpRuleAttr::parse(AsmParser &p, Type) {
  RuleParser rule{p, {}};
  SmallVector<TensorFactorsAttr> operands, results;
  SmallVector<int64_t> reduction, needReplication, permutation, blocked, linear;
  SmallVector<ReductionKind> kinds;
  bool custom = false;
  auto parseTensors = [&](SmallVectorImpl<TensorFactorsAttr> &list) {
    return p.parseCommaSeparatedList(AsmParser::Delimiter::Paren, [&] {
      return rule.parseTensor(list.emplace_back());
    });
  };
  if (p.parseLess() || parseTensors(operands) || p.parseArrow() ||
      parseTensors(results))
    return {};
  SmallVector<int64_t> sizes(rule.numbers.size(), 0);
  SmallVector<int64_t> order;
  auto parseSize = [&]() -> ParseResult {
    StringRef keyword;
    SmallVector<int64_t> factor;
    SMLoc loc = p.getCurrentLocation();
    if (p.parseKeyword(&keyword) ||
        rule.splitNames(keyword, factor, /*define=*/false))
      return failure();
    if (factor.size() != 1 || llvm::is_contained(order, factor[0]))
      return p.emitError(loc, "expected each factor once");
    order.push_back(factor[0]);
    if (failed(p.parseOptionalEqual()))
      return success();
    return p.parseInteger(sizes[factor[0]]);
  };
  if (succeeded(p.parseOptionalLBrace())) {
    if (failed(p.parseOptionalRBrace())) {
      do {
        if (parseSize())
          return {};
      } while (succeeded(p.parseOptionalComma()));
      if (p.parseRBrace())
        return {};
    }
  }
  // The list of sizes, where complete, numbers the factors.
  if (order.size() == sizes.size())
    rule.renumber(order, sizes, operands, results);
  while (true) {
    SMLoc loc = p.getCurrentLocation();
    StringRef keyword;
    // Shardy separates `custom` with a comma.
    (void)p.parseOptionalComma();
    if (failed(p.parseOptionalKeyword(&keyword)))
      break;
    if (keyword == "custom") {
      custom = true;
      continue;
    }
    if (p.parseEqual())
      return {};
    ParseResult result = success();
    if (keyword == "reduction")
      result = rule.parseFactorSet(reduction);
    else if (keyword == "need_replication")
      result = rule.parseFactorSet(needReplication);
    else if (keyword == "permutation")
      result = rule.parseFactorSet(permutation);
    else if (keyword == "blocked_propagation")
      result = rule.parseFactorSet(blocked);
    else if (keyword == "linear")
      result = p.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return p.parseInteger(linear.emplace_back());
      });
    else if (keyword == "reduction_kinds")
      result = p.parseCommaSeparatedList(
          AsmParser::Delimiter::Braces, [&]() -> ParseResult {
            StringRef name;
            if (p.parseKeyword(&name))
              return failure();
            auto kind = symbolizeReductionKind(name);
            if (!kind)
              return p.emitError(loc, "unknown reduction kind");
            kinds.push_back(*kind);
            return success();
          });
    else
      result = p.emitError(loc, "unknown part of a sharding rule: '")
               << keyword << "'";
    if (result)
      return {};
  }
  if (p.parseGreater())
    return {};
  return get(p.getContext(), sizes, operands, results, reduction, kinds,
             needReplication, permutation, blocked, linear, custom);
}

void OpRuleAttr::print(AsmPrinter &p) const {
  auto printTensors = [&](ArrayRef<TensorFactorsAttr> list) {
    p << '(';
    llvm::interleaveComma(
        list, p, [&](TensorFactorsAttr t) { printTensorFactors(p, t); });
    p << ')';
  };
  auto printSet = [&](StringRef name, ArrayRef<int64_t> factors) {
    if (factors.empty())
      return;
    p << ' ' << name << "={";
    llvm::interleaveComma(factors, p, [&](int64_t f) { p << factorName(f); });
    p << '}';
  };
  p << '<';
  printTensors(getOperands());
  p << "->";
  printTensors(getResults());
  p << " {";
  llvm::interleaveComma(llvm::enumerate(getFactorSizes()), p, [&](auto it) {
    p << factorName(it.index());
    if (it.value())
      p << '=' << it.value();
  });
  p << '}';
  printSet("reduction", getReduction());
  if (!getReductionKinds().empty()) {
    p << " reduction_kinds={";
    llvm::interleaveComma(getReductionKinds(), p, [&](ReductionKind kind) {
      p << stringifyReductionKind(kind);
    });
    p << '}';
  }
  printSet("need_replication", getNeedReplication());
  printSet("permutation", getPermutation());
  printSet("blocked_propagation", getBlocked());
  if (!getLinear().empty()) {
    p << " linear=[";
    llvm::interleaveComma(getLinear(), p);
    p << ']';
  }
  if (getCustom())
    p << " custom";
  p << '>';
}
