// Writing npz archives: stored members, zip64 where sizes need it.
#include "shoal/runtime/Npz.h"

#include <zlib.h>

namespace shoal::rt {

namespace {

struct Bytes {
  std::string out;
  void u16(uint64_t v) {
    out.push_back(static_cast<char>(v & 0xff));
    out.push_back(static_cast<char>(v >> 8 & 0xff));
  }
  void u32(uint64_t v) {
    u16(v & 0xffff);
    u16(v >> 16 & 0xffff);
  }
  void u64(uint64_t v) {
    u32(v & 0xffffffff);
    u32(v >> 32);
  }
};

std::string npyDescr(DType type) {
  switch (type) {
  case DType::I1:
    return "|b1";
  case DType::BF16:
    return "|V2";
  default:
    break;
  }
  int64_t size = byteSize(type);
  if (isFloat(type) && size == 1)
    return "|V1";
  char kind = isComplex(type)       ? 'c'
              : isFloat(type)       ? 'f'
              : isUnsignedInt(type) ? 'u'
                                    : 'i';
  return std::string(size == 1 ? "|" : "<") + kind + std::to_string(size);
}

std::string npyHeader(DType type, const std::vector<int64_t> &shape) {
  std::string dict =
      "{'descr': '" + npyDescr(type) + "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < shape.size(); ++i)
    dict += (i ? ", " : "") + std::to_string(shape[i]);
  dict += shape.size() == 1 ? ",), }" : "), }";
  // Magic, version, length and text take a multiple of 64 bytes.
  size_t total = (10 + dict.size() + 1 + 63) / 64 * 64;
  dict.append(total - 10 - dict.size() - 1, ' ');
  dict.push_back('\n');
  Bytes b;
  b.out = std::string("\x93NUMPY\x01\x00", 8);
  b.u16(dict.size());
  return b.out + dict;
}

constexpr uint64_t limit32 = 0xffffffff;
constexpr uint16_t dosDate = 1 << 5 | 1; // 1980-01-01: same input, same bytes

} // namespace

Result<NpzWriter> NpzWriter::open(const std::string &path) {
  Result<AtomicFile> file = AtomicFile::open(path);
  if (!file)
    return file.status();
  NpzWriter writer;
  writer.file = std::move(*file);
  return writer;
}

Status NpzWriter::add(const std::string &name, DType type,
                      const std::vector<int64_t> &shape, const void *data) {
  std::string header = npyHeader(type, shape);
  uint64_t dataSize = static_cast<uint64_t>(numBytes(type, shape));
  Entry e{name + ".npy", file.position(), header.size() + dataSize, 0};
  uLong crc = crc32(0, reinterpret_cast<const Bytef *>(header.data()),
                    static_cast<uInt>(header.size()));
  const Bytef *p = static_cast<const Bytef *>(data);
  for (uint64_t left = dataSize; left;) {
    uInt n = static_cast<uInt>(std::min<uint64_t>(left, 1u << 30));
    crc = crc32(crc, p, n);
    p += n;
    left -= n;
  }
  e.crc = static_cast<uint32_t>(crc);

  bool zip64 = e.size >= limit32;
  Bytes b;
  b.u32(0x04034b50);
  b.u16(zip64 ? 45 : 20);
  b.u16(0); // flags
  b.u16(0); // stored
  b.u16(0); // time
  b.u16(dosDate);
  b.u32(e.crc);
  b.u32(zip64 ? limit32 : e.size);
  b.u32(zip64 ? limit32 : e.size);
  b.u16(e.name.size());
  b.u16(zip64 ? 20 : 0);
  b.out += e.name;
  if (zip64) {
    b.u16(1);
    b.u16(16);
    b.u64(e.size);
    b.u64(e.size);
  }
  if (Status s = file.write(b.out); !s)
    return s;
  if (Status s = file.write(header); !s)
    return s;
  if (Status s = file.write(data, dataSize); !s)
    return s;
  entries.push_back(std::move(e));
  return Status::ok();
}

Status NpzWriter::finish() {
  uint64_t start = file.position();
  Bytes b;
  for (const Entry &e : entries) {
    bool bigSize = e.size >= limit32, bigOffset = e.offset >= limit32;
    b.u32(0x02014b50);
    b.u16(45);
    b.u16(bigSize || bigOffset ? 45 : 20);
    b.u16(0);
    b.u16(0);
    b.u16(0);
    b.u16(dosDate);
    b.u32(e.crc);
    b.u32(bigSize ? limit32 : e.size);
    b.u32(bigSize ? limit32 : e.size);
    b.u16(e.name.size());
    b.u16(bigSize || bigOffset ? 4 + 16 * bigSize + 8 * bigOffset : 0);
    b.u16(0); // comment
    b.u16(0); // disk
    b.u16(0); // internal attributes
    b.u32(0); // external attributes
    b.u32(bigOffset ? limit32 : e.offset);
    b.out += e.name;
    if (bigSize || bigOffset) {
      b.u16(1);
      b.u16(16 * bigSize + 8 * bigOffset);
      if (bigSize) {
        b.u64(e.size);
        b.u64(e.size);
      }
      if (bigOffset)
        b.u64(e.offset);
    }
  }
  uint64_t size = b.out.size(), count = entries.size();
  if (start >= limit32 || count >= 0xffff || size >= limit32) {
    uint64_t end64 = start + size;
    b.u32(0x06064b50);
    b.u64(44);
    b.u16(45);
    b.u16(45);
    b.u32(0);
    b.u32(0);
    b.u64(count);
    b.u64(count);
    b.u64(size);
    b.u64(start);
    b.u32(0x07064b50);
    b.u32(0);
    b.u64(end64);
    b.u32(1);
  }
  b.u32(0x06054b50);
  b.u16(0);
  b.u16(0);
  b.u16(std::min<uint64_t>(count, 0xffff));
  b.u16(std::min<uint64_t>(count, 0xffff));
  b.u32(std::min(size, limit32));
  b.u32(std::min(start, limit32));
  b.u16(0);
  if (Status s = file.write(b.out); !s)
    return s;
  return file.commit();
}

} // namespace shoal::rt
