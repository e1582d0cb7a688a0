#include "shoal/Pipelines/PackBooleans.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

using namespace llvm;

/// Elements of the type `tensor<…xi1>` that the text goes on with after the
/// constant's string; none if it is another type, or there are more than `most`.
static std::optional<size_t> countBooleans(StringRef text, size_t most) {
  text = text.ltrim();
  if (!text.consume_front(">"))
    return std::nullopt;
  text = text.ltrim();
  if (!text.consume_front(":"))
    return std::nullopt;
  text = text.ltrim();
  if (!text.consume_front("tensor<") && !text.consume_front("vector<"))
    return std::nullopt;
  size_t count = 1;
  for (size_t extent; !text.consumeInteger(10, extent);) {
    if (!text.consume_front("x") || (extent && count > most / extent))
      return std::nullopt;
    count *= extent;
  }
  if (!text.starts_with("i1>") && !text.starts_with("i1,"))
    return std::nullopt;
  return count;
}

std::unique_ptr<MemoryBuffer> shoal::packBooleans(MemoryBufferRef source) {
  StringRef text = source.getBuffer();
  std::unique_ptr<WritableMemoryBuffer> packed;
  for (size_t at = 0; (at = text.find("\"0x", at)) != StringRef::npos;) {
    size_t first = at + 3, end = text.find('"', first);
    if (end == StringRef::npos)
      break;
    at = end + 1;
    StringRef digits = text.slice(first, end);
    size_t count = digits.size() / 2;
    // Fewer bytes are a bit per element already.
    if (count < 2 || digits.size() % 2 ||
        countBooleans(text.substr(at), count) != count)
      continue;
    std::vector<uint8_t> bits((count + 7) / 8);
    bool valid = true;
    for (size_t i = 0; i < count && valid; ++i) {
      valid = digits[2 * i] == '0' &&
              (digits[2 * i + 1] == '0' || digits[2 * i + 1] == '1');
      bits[i / 8] |= (digits[2 * i + 1] == '1') << (i % 8);
    }
    if (!valid)
      continue;
    if (!packed) {
      packed = WritableMemoryBuffer::getNewUninitMemBuffer(
          text.size(), source.getBufferIdentifier());
      if (!packed)
        return nullptr;
      llvm::copy(text, packed->getBufferStart());
    }
    std::string hex = toHex(bits);
    char *to = packed->getBufferStart() + first;
    to = llvm::copy(hex, to);
    *to++ = '"';
    std::fill(to, packed->getBufferStart() + end + 1, ' ');
  }
  return packed;
}
