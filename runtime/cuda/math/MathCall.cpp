#include "cuda/math/MathCall.h"

#include "shoal/runtime/Program.h"

#include <cstdlib>
#include <cstring>

namespace shoal::cuda {

using program::Section;

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

MathText::MathText(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(' ', at), text.size());
    std::string_view word = text.substr(at, end - at);
    if (size_t equals = word.find('='); equals != std::string_view::npos)
      words[std::string(word.substr(0, equals))] = word.substr(equals + 1);
    else if (name.empty())
      name = word;
    at = end + 1;
  }
}

int64_t MathText::number(const char *key) const {
  auto it = words.find(std::string_view(key));
  return it == words.end() ? 0 : std::strtoll(it->second.c_str(), nullptr, 10);
}

std::vector<int64_t> MathText::numbers(const char *key) const {
  std::vector<int64_t> result;
  auto it = words.find(std::string_view(key));
  if (it == words.end())
    return result;
  const char *at = it->second.c_str();
  while (*at) {
    char *end;
    result.push_back(std::strtoll(at, &end, 10));
    if (end == at)
      return {};
    at = *end == ',' ? end + 1 : end;
  }
  return result;
}

char MathText::letter() const {
  auto it = words.find(std::string_view("type"));
  return it == words.end() || it->second.size() != 1 ? 's' : it->second[0];
}

/// An attribute of a custom call: a number or a truth value, printed as
/// {uplo = 76 : ui8}.
static int64_t attribute(std::string_view config, std::string_view name,
                         int64_t otherwise) {
  std::string key = std::string(name) + " = ";
  for (size_t at = config.find(key); at != std::string_view::npos;
       at = config.find(key, at + 1)) {
    if (at > 0 && !std::strchr(" {,", config[at - 1]))
      continue;
    std::string value(config.substr(at + key.size(), 24));
    return value.rfind("true", 0) == 0
               ? 1
               : std::strtoll(value.c_str(), nullptr, 10);
  }
  return otherwise;
}

std::string describeCustomCall(const program::View &program,
                               const program::Instruction &instruction) {
  std::span<const int64_t> ops = program.operands(instruction);
  const program::CustomCall &call =
      program.section<program::CustomCall>(Section::CustomCalls)[ops[0]];
  std::string_view target = program.str(call.target);
  std::string_view config = program.str(call.config);
  constexpr std::string_view front = "lapack_", back = "_ffi";
  if (!target.starts_with(front) || !target.ends_with(back) ||
      target.size() <= front.size() + back.size() + 1)
    return "";
  char letter = target[front.size()];
  std::string routine(target.substr(
      front.size() + 1, target.size() - front.size() - 1 - back.size()));
  if (!std::strchr("sdcz", letter))
    return "";
  // The complex ones' names.
  for (auto [own, general] : {std::pair("heevd", "syevd"),
                              {"ungqr", "orgqr"},
                              {"unmqr", "ormqr"},
                              {"gesdd", "gesvd"}})
    if (routine == own)
      routine = general;
  auto shapeOf = [&](int64_t operand) {
    return program.shape(program.slots()[ops[3 + operand]].type);
  };
  auto expect = [&](int64_t inputs, int64_t outputs) {
    return ops[1] == inputs && ops[2] == outputs;
  };
  auto matrix = shapeOf(routine == "ormqr" && ops[1] == 3 ? 2 : 0);
  if (matrix.size() < 2)
    return "";
  int64_t m = matrix[matrix.size() - 2], n = matrix.back(), batch = 1;
  for (size_t d = 0; d + 2 < matrix.size(); ++d)
    batch *= matrix[d];
  // The libraries count in ints.
  constexpr int64_t most = int64_t{1} << 31;
  if (m < 1 || n < 1 || batch < 1 || m >= most / n)
    return "";
  std::string text = routine + " type=" + letter +
                     " batch=" + std::to_string(batch) +
                     " m=" + std::to_string(m) + " n=" + std::to_string(n);
  auto add = [&](const char *key, int64_t value) {
    text += " " + std::string(key) + "=" + std::to_string(value);
  };
  auto lower = [&] { add("lower", attribute(config, "uplo", 'L') == 'L'); };
  if (routine == "potrf" && expect(1, 2) && m == n) {
    lower();
    return text;
  }
  if (routine == "getrf" && expect(1, 3))
    return text;
  if (routine == "geqrf" && expect(1, 2))
    return text;
  if (routine == "orgqr" && expect(2, 1) && m >= n) {
    add("k", shapeOf(1).back());
    return text;
  }
  if (routine == "ormqr" && expect(3, 1)) {
    auto reflectors = shapeOf(0);
    add("k", shapeOf(1).back());
    add("rows", reflectors[reflectors.size() - 2]);
    add("columns", reflectors.back());
    add("left", attribute(config, "left", 1));
    add("transpose", attribute(config, "transpose", 0));
    return text;
  }
  if (routine == "syevd" && expect(1, 3) && m == n) {
    lower();
    add("vectors", attribute(config, "mode", 'V') == 'V');
    return text;
  }
  if (routine == "gesvd" && expect(1, 5)) {
    int64_t mode = attribute(config, "mode", 'S');
    if (mode != 'A' && mode != 'S' && mode != 'N')
      return "";
    add("mode", mode);
    return text;
  }
  if (routine == "trsm" && expect(2, 1)) {
    auto b = shapeOf(1);
    int64_t trans = attribute(config, "trans_x", 'N');
    return std::string("triangular_solve type=") + letter +
           " batch=" + std::to_string(batch) +
           " rows=" + std::to_string(b[b.size() - 2]) +
           " columns=" + std::to_string(b.back()) +
           " left=" + (attribute(config, "side", 'L') == 'L' ? "1" : "0") +
           " lower=" + (attribute(config, "uplo", 'L') == 'L' ? "1" : "0") +
           " unit=" + (attribute(config, "diag", 'N') == 'U' ? "1" : "0") +
           " transpose=" +
           (trans == 'T'   ? "1"
            : trans == 'C' ? "2"
                           : "0");
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Handles
//===----------------------------------------------------------------------===//

using Create = int (*)(void **);
using Destroy = int (*)(void *);

static void *makeHandle(const MathLibrary &library, const char *create) {
  void *handle = nullptr;
  auto f = reinterpret_cast<Create>(library.find(create));
  return f && f(&handle) == 0 ? handle : nullptr;
}

void *MathHandles::solver(size_t stream) {
  auto [it, isNew] = solvers.try_emplace(stream, nullptr);
  if (isNew)
    it->second = makeHandle(MathLibrary::cusolver(), "cusolverDnCreate");
  return it->second;
}

void *MathHandles::blas(size_t stream) {
  auto [it, isNew] = blases.try_emplace(stream, nullptr);
  if (isNew)
    it->second = makeHandle(MathLibrary::cublas(), "cublasCreate_v2");
  return it->second;
}

MathHandles::~MathHandles() {
  calls.clear();
  auto drop = [](std::map<size_t, void *> &all, const MathLibrary &library,
                 const char *destroy) {
    if (all.empty())
      return;
    auto f = reinterpret_cast<Destroy>(library.find(destroy));
    for (auto &[stream, handle] : all)
      if (handle && f)
        f(handle);
  };
  drop(solvers, MathLibrary::cusolver(), "cusolverDnDestroy");
  drop(blases, MathLibrary::cublas(), "cublasDestroy_v2");
}

std::shared_ptr<MathCall> MathHandles::prepare(const std::string &line,
                                               size_t stream) {
  auto [it, isNew] = calls.try_emplace({line, stream}, nullptr);
  if (!isNew)
    return it->second;
  MathText text(line);
  if (text.name == "fft")
    it->second = makeFourierCall(text);
  else if (text.name == "triangular_solve")
    it->second = makeSolveCall(text, *this, stream);
  else
    it->second = makeFactorCall(text, *this, stream);
  return it->second;
}

} // namespace shoal::cuda
