// The header of npy files, and how NumPy's types map to ours.
#include "shoal/runtime/Npz.h"

#include <cstring>

namespace shoal::rt {

int64_t numElements(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  bool empty = false;
  for (int64_t d : shape) {
    if (d < 0)
      return -1;
    if (d == 0)
      empty = true;
    else if (__builtin_mul_overflow(count, d, &count))
      return -1;
  }
  return empty ? 0 : count;
}

int64_t numBytes(DType type, const std::vector<int64_t> &shape) {
  int64_t count = numElements(shape), bytes;
  if (count < 0 || __builtin_mul_overflow(count, byteSize(type), &bytes))
    return -1;
  return bytes;
}

static std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string describe(DType type, const std::vector<int64_t> &shape) {
  return std::string(name(type)) + shapeText(shape);
}

namespace {

/// A cursor over the header's Python dictionary literal.
struct Cursor {
  const char *at, *end;

  void skipSpace() {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t'))
      ++at;
  }
  bool eat(char c) {
    skipSpace();
    if (at == end || *at != c)
      return false;
    ++at;
    return true;
  }
  bool word(const char *text) {
    skipSpace();
    size_t n = std::strlen(text);
    if (static_cast<size_t>(end - at) < n || std::memcmp(at, text, n) != 0)
      return false;
    at += n;
    return true;
  }
  bool string(std::string &out) {
    skipSpace();
    if (at == end || (*at != '\'' && *at != '"'))
      return false;
    char quote = *at++;
    const char *begin = at;
    while (at < end && *at != quote)
      ++at;
    if (at == end)
      return false;
    out.assign(begin, at++);
    return true;
  }
  bool integer(int64_t &out) {
    skipSpace();
    if (at == end || *at < '0' || *at > '9')
      return false;
    out = 0;
    while (at < end && *at >= '0' && *at <= '9')
      if (__builtin_mul_overflow(out, 10, &out) ||
          __builtin_add_overflow(out, *at++ - '0', &out))
        return false;
    if (at < end && *at == 'L') // Python 2 wrote long integers so
      ++at;
    return true;
  }
};

} // namespace

Result<NpyHeader> parseNpyHeader(const std::byte *bytes, size_t size) {
  auto bad = [](const std::string &why) { return Status::badInput(why); };
  auto byte = [&](size_t i) { return static_cast<size_t>(bytes[i]); };
  if (size < 10 || std::memcmp(bytes, "\x93NUMPY", 6) != 0)
    return bad("not an npy array");
  size_t major = byte(6), length, start;
  if (major == 1) {
    length = byte(8) | byte(9) << 8;
    start = 10;
  } else if (major == 2 || major == 3) {
    if (size < 12)
      return bad("truncated npy header");
    length = byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
    start = 12;
  } else {
    return bad("npy format version " + std::to_string(major) +
               " is unknown (1 to 3 are read)");
  }
  if (length > size - start)
    return bad("truncated npy header");

  NpyHeader header{};
  header.headerBytes = start + length;
  const char *text = reinterpret_cast<const char *>(bytes) + start;
  Cursor c{text, text + length};
  bool hasDescr = false, hasOrder = false, hasShape = false;
  if (!c.eat('{'))
    return bad("malformed npy header");
  while (!c.eat('}')) {
    std::string key;
    if (!c.string(key) || !c.eat(':'))
      return bad("malformed npy header");
    if (key == "descr") {
      if (!c.string(header.descr))
        return bad("structured arrays are not supported");
      hasDescr = true;
    } else if (key == "fortran_order") {
      header.fortranOrder = c.word("True");
      if (!header.fortranOrder && !c.word("False"))
        return bad("malformed npy header: fortran_order");
      hasOrder = true;
    } else if (key == "shape") {
      if (!c.eat('('))
        return bad("malformed npy header: shape");
      while (!c.eat(')')) {
        int64_t d;
        if (!c.integer(d) || header.shape.size() >= 64)
          return bad("malformed npy header: shape");
        header.shape.push_back(d);
        if (!c.eat(',')) {
          if (!c.eat(')'))
            return bad("malformed npy header: shape");
          break;
        }
      }
      hasShape = true;
    } else {
      return bad("malformed npy header: unknown key '" + key + "'");
    }
    if (!c.eat(',')) {
      if (!c.eat('}'))
        return bad("malformed npy header");
      break;
    }
  }
  if (!hasDescr || !hasOrder || !hasShape)
    return bad("malformed npy header: a key is missing");

  // descr is byte order, kind, item size: "<f4", "|V2", "|b1".
  const std::string &d = header.descr;
  size_t at = !d.empty() && std::strchr("<>|=", d[0]) ? 1 : 0;
  if (d.size() < at + 2)
    return bad("type '" + d + "' is not supported");
  header.kind = d[at];
  int64_t item = 0;
  for (size_t i = at + 1; i < d.size(); ++i) {
    if (d[i] < '0' || d[i] > '9' || item > 1000)
      return bad("type '" + d + "' is not supported");
    item = item * 10 + (d[i] - '0');
  }
  header.itemSize = item;
  if (!std::strchr("fiubcV", header.kind) || item < 1 || item > 16)
    return bad("type '" + d + "' is not supported");
  if (d[0] == '>' && item > 1)
    return bad("type '" + d +
               "' is big-endian, which is not supported; save it with "
               ".astype(a.dtype.newbyteorder('<'))");
  int64_t count = numElements(header.shape);
  if (count < 0 || __builtin_mul_overflow(count, item, &count))
    return bad("the size of an array of shape " + shapeText(header.shape) +
               " overflows");
  return header;
}

bool npyHolds(char kind, int64_t itemSize, DType type) {
  switch (type) {
  case DType::Invalid:
    return false;
  case DType::I1:
    return kind == 'b' && itemSize == 1;
  case DType::I2:
  case DType::I4:
    return (kind == 'i' || kind == 'V') && itemSize == 1;
  case DType::UI2:
  case DType::UI4:
    return (kind == 'u' || kind == 'V') && itemSize == 1;
  case DType::BF16:
    return kind == 'V' && itemSize == 2;
  default:
    break;
  }
  if (itemSize != byteSize(type))
    return false;
  if (isComplex(type))
    return kind == 'c';
  if (isSignedInt(type))
    return kind == 'i';
  if (isUnsignedInt(type))
    return kind == 'u';
  if (itemSize == 1) // fp8 and narrower; ml_dtypes writes f8E5M2 as "<f1"
    return kind == 'V' || kind == 'f';
  return kind == 'f';
}

std::string npyTypeFor(DType type) {
  switch (type) {
  case DType::I1:
    return "bool";
  case DType::I2:
  case DType::I4:
    return "int8";
  case DType::UI2:
  case DType::UI4:
    return "uint8";
  case DType::BF16:
    return "ml_dtypes.bfloat16 (|V2)";
  case DType::C64:
    return "complex64";
  case DType::C128:
    return "complex128";
  default:
    break;
  }
  std::string bits = std::to_string(8 * byteSize(type));
  if (isSignedInt(type))
    return "int" + bits;
  if (isUnsignedInt(type))
    return "uint" + bits;
  if (byteSize(type) == 1)
    return "an ml_dtypes type of one byte (|V1)";
  return "float" + bits;
}

} // namespace shoal::rt
