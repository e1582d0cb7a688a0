// Text form of sharding rules: `<([i, k], [k, j])->([i, j]) {i=8, j=16, k=8}>`.
#include "dialects/SDY/SDY.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::sdy;

static constexpr int64_t kLetters = 'z' - 'i' + 1;
// A rule with more factors than this is a mistake; also bounds what a wrong
// index can make us allocate.
static constexpr int64_t kMaxFactors = 4096;

std::string mlir::sdy::factorName(int64_t index) {
  if (index < kLetters)
    return std::string(1, char('i' + index));
  return "z_" + std::to_string(index - kLetters + 1);
}

/// Takes one factor name off the front of `text`.
static std::optional<int64_t> consumeFactor(StringRef &text) {
  if (text.consume_front("z_")) {
    int64_t number;
    if (text.consumeInteger(10, number) || number < 1 || number > kMaxFactors)
      return std::nullopt;
    return kLetters - 1 + number;
  }
  if (text.empty() || text.front() < 'i' || text.front() > 'z')
    return std::nullopt;
  int64_t index = text.front() - 'i';
  text = text.drop_front();
  return index;
}

/// Parses a run of factor names without separator, such as `jk` or `zz_1`.
static ParseResult parseFactors(AsmParser &parser,
                                SmallVectorImpl<int64_t> &factors) {
  StringRef text;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&text))
    return failure();
  while (!text.empty()) {
    std::optional<int64_t> factor = consumeFactor(text);
    if (!factor)
      return parser.emitError(loc,
                              "expected factors named i to z, z_1, z_2, …");
    factors.push_back(*factor);
  }
  return success();
}

static ParseResult parseFactor(AsmParser &parser, int64_t &factor) {
  SmallVector<int64_t> factors;
  SMLoc loc = parser.getCurrentLocation();
  if (parseFactors(parser, factors))
    return failure();
  if (factors.size() != 1)
    return parser.emitError(loc, "expected one factor");
  factor = factors.front();
  return success();
}

static ParseResult parseFactorSet(AsmParser &parser,
                                  SmallVectorImpl<int64_t> &factors) {
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces, [&]() {
    return parseFactor(parser, factors.emplace_back());
  });
}

static void printFactors(AsmPrinter &printer, ArrayRef<int64_t> factors) {
  if (factors.empty())
    printer << "*";
  for (int64_t factor : factors)
    printer << factorName(factor);
}

Attribute DimMappingAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> factors;
  if (failed(parser.parseOptionalStar()) && parseFactors(parser, factors))
    return {};
  return DimMappingAttr::get(parser.getContext(), factors);
}

void DimMappingAttr::print(AsmPrinter &printer) const {
  printFactors(printer, getFactorIndices());
}

Attribute TensorMappingAttr::parse(AsmParser &parser, Type) {
  SmallVector<DimMappingAttr> dims;
  auto parseDim = [&]() -> ParseResult {
    auto dim =
        dyn_cast_or_null<DimMappingAttr>(DimMappingAttr::parse(parser, {}));
    if (!dim)
      return failure();
    dims.push_back(dim);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseDim))
    return {};
  return TensorMappingAttr::get(parser.getContext(), dims);
}

void TensorMappingAttr::print(AsmPrinter &printer) const {
  printer << "[";
  llvm::interleaveComma(getDimMappings(), printer,
                        [&](DimMappingAttr dim) { dim.print(printer); });
  printer << "]";
}

static ParseResult parseMappings(AsmParser &parser,
                                 SmallVectorImpl<TensorMappingAttr> &mappings) {
  return parser.parseCommaSeparatedList(
      AsmParser::Delimiter::Paren, [&]() -> ParseResult {
        auto mapping = dyn_cast_or_null<TensorMappingAttr>(
            TensorMappingAttr::parse(parser, {}));
        if (!mapping)
          return failure();
        mappings.push_back(mapping);
        return success();
      });
}

static void printMappings(AsmPrinter &printer,
                          ArrayRef<TensorMappingAttr> mappings) {
  printer << "(";
  llvm::interleaveComma(mappings, printer, [&](TensorMappingAttr mapping) {
    mapping.print(printer);
  });
  printer << ")";
}

Attribute OpShardingRuleAttr::parse(AsmParser &parser, Type) {
  SmallVector<TensorMappingAttr> operands, results;
  SmallVector<int64_t> sizes, reduction, replication, permutation, blocked;
  if (parser.parseLess() || parseMappings(parser, operands) ||
      parser.parseArrow() || parseMappings(parser, results))
    return {};

  SMLoc loc = parser.getCurrentLocation();
  auto parseSize = [&]() -> ParseResult {
    int64_t factor, size;
    SMLoc loc = parser.getCurrentLocation();
    if (parseFactor(parser, factor) || parser.parseEqual() ||
        parser.parseInteger(size))
      return failure();
    if (factor != int64_t(sizes.size()))
      return parser.emitError(loc, "expected the size of factor ")
             << factorName(sizes.size()) << " here: sizes stand in order";
    sizes.push_back(size);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::OptionalBraces,
                                     parseSize))
    return {};
  for (auto [keyword, factors] :
       {std::pair<StringRef, SmallVector<int64_t> *>{"reduction", &reduction},
        {"need_replication", &replication},
        {"permutation", &permutation},
        {"blocked_propagation", &blocked}})
    if (succeeded(parser.parseOptionalKeyword(keyword)))
      if (parser.parseEqual() || parseFactorSet(parser, *factors))
        return {};
  bool isCustom = false;
  if (succeeded(parser.parseOptionalComma())) {
    if (parser.parseKeyword("custom"))
      return {};
    isCustom = true;
  }
  if (parser.parseGreater())
    return {};

  auto known = [&](ArrayRef<int64_t> factors) -> bool {
    for (int64_t factor : factors)
      if (factor >= int64_t(sizes.size())) {
        parser.emitError(loc, "sharding rule gives no size for factor ")
            << factorName(factor);
        return false;
      }
    return true;
  };
  for (ArrayRef<TensorMappingAttr> side :
       {ArrayRef(operands), ArrayRef(results)})
    for (TensorMappingAttr mapping : side)
      for (DimMappingAttr dim : mapping.getDimMappings())
        if (!known(dim.getFactorIndices()))
          return {};
  if (!known(reduction) || !known(replication) || !known(permutation) ||
      !known(blocked))
    return {};
  return OpShardingRuleAttr::get(parser.getContext(), sizes, operands, results,
                                 reduction, replication, permutation, blocked,
                                 isCustom);
}

void OpShardingRuleAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printMappings(printer, getOperandMappings());
  printer << "->";
  printMappings(printer, getResultMappings());
  if (!getFactorSizes().empty()) {
    printer << " {";
    int64_t index = 0;
    llvm::interleaveComma(getFactorSizes(), printer, [&](int64_t size) {
      printer << factorName(index++) << "=" << size;
    });
    printer << "}";
  }
  auto printSet = [&](StringRef name, ArrayRef<int64_t> factors) {
    if (factors.empty())
      return;
    printer << " " << name << "={";
    llvm::interleaveComma(factors, printer, [&](int64_t factor) {
      printer << factorName(factor);
    });
    printer << "}";
  };
  printSet("reduction", getReductionFactors());
  printSet("need_replication", getNeedReplicationFactors());
  printSet("permutation", getPermutationFactors());
  printSet("blocked_propagation", getBlockedPropagationFactors());
  if (getIsCustomRule())
    printer << ", custom";
  printer << ">";
}
