//===- LinearLayoutText.cpp - Layouts as text -----------------------------===//

#include "shoal/Codegen/GPU/LinearLayout.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace shoal {

void LinearLayout::print(raw_ostream &os) const {
  os << '{';
  interleaveComma(inDims, os, [&](const Dim &dim) {
    os << dim.name << " = [";
    for (unsigned b = 0; b < dim.bits; ++b) {
      os << (b ? ", [" : "[");
      interleaveComma(basis(dim.name, b), os);
      os << ']';
    }
    os << ']';
  });
  os << "} -> {";
  interleaveComma(outDims, os, [&](const Dim &dim) {
    os << dim.name << " = " << dim.size();
  });
  os << '}';
}

std::string LinearLayout::str() const {
  std::string text;
  raw_string_ostream os(text);
  print(os);
  return text;
}

namespace {
/// A reader of the few tokens there are.
struct Reader {
  StringRef rest;

  bool eat(StringRef token) {
    rest = rest.ltrim();
    return rest.consume_front(token);
  }
  bool name(std::string &result) {
    rest = rest.ltrim();
    size_t n = 0;
    while (n < rest.size() && (isAlnum(rest[n]) || rest[n] == '_'))
      ++n;
    result = rest.take_front(n).str();
    rest = rest.drop_front(n);
    return n > 0;
  }
  bool number(int64_t &result) {
    rest = rest.ltrim();
    return !rest.consumeInteger(10, result);
  }
};
} // namespace

std::optional<LinearLayout> LinearLayout::parse(StringRef text,
                                                std::string *error) {
  Reader in{text};
  auto fail = [&](const Twine &what) -> std::optional<LinearLayout> {
    if (error)
      *error = (what + " at column " + Twine(text.size() - in.rest.size()) +
                " of the layout")
                   .str();
    return std::nullopt;
  };

  Bases bases;
  if (!in.eat("{"))
    return fail("expected '{'");
  if (!in.eat("}")) {
    do {
      bases.emplace_back();
      if (!in.name(bases.back().first))
        return fail("expected a dimension's name");
      if (!in.eat("=") || !in.eat("["))
        return fail("expected '= ['");
      if (in.eat("]"))
        continue;
      do {
        std::vector<int64_t> &vector = bases.back().second.emplace_back();
        if (!in.eat("["))
          return fail("expected '['");
        if (in.eat("]"))
          continue;
        do {
          if (!in.number(vector.emplace_back()))
            return fail("expected a number");
        } while (in.eat(","));
        if (!in.eat("]"))
          return fail("expected ']'");
      } while (in.eat(","));
      if (!in.eat("]"))
        return fail("expected ']'");
    } while (in.eat(","));
    if (!in.eat("}"))
      return fail("expected '}'");
  }

  std::vector<std::pair<std::string, int64_t>> outs;
  if (!in.eat("->") || !in.eat("{"))
    return fail("expected '-> {'");
  if (!in.eat("}")) {
    do {
      auto &[name, size] = outs.emplace_back();
      if (!in.name(name))
        return fail("expected a dimension's name");
      if (!in.eat("=") || !in.number(size))
        return fail("expected '= size'");
    } while (in.eat(","));
    if (!in.eat("}"))
      return fail("expected '}'");
  }
  if (!in.rest.trim().empty())
    return fail("unexpected text");
  std::optional<LinearLayout> result = create(bases, outs);
  if (!result)
    return fail("coordinates outside the dimensions, a size that is no power "
                "of two, or a dimension named twice");
  return result;
}

} // namespace shoal
