// Reading zip archives of npy files. Nothing in the file is believed before it
// has been compared with the file's size; the layout follows PKWARE's
// APPNOTE 6.3.
#include "shoal/runtime/Npz.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace shoal::rt {

namespace {

uint16_t get16(const uint8_t *p) {
  return static_cast<uint16_t>(p[0] | p[1] << 8);
}
uint32_t get32(const uint8_t *p) {
  return static_cast<uint32_t>(get16(p)) | static_cast<uint32_t>(get16(p + 2))
                                               << 16;
}
uint64_t get64(const uint8_t *p) {
  return get32(p) | static_cast<uint64_t>(get32(p + 4)) << 32;
}

constexpr uint32_t localMagic = 0x04034b50, centralMagic = 0x02014b50,
                   endMagic = 0x06054b50, locator64Magic = 0x07064b50,
                   end64Magic = 0x06064b50;

/// Pulls a member's bytes out of the archive, inflating on the way.
class MemberStream {
public:
  MemberStream(int fd, uint64_t offset, uint64_t compressed, bool deflated)
      : fd(fd), offset(offset), left(compressed), deflated(deflated) {
    if (deflated)
      ready = inflateInit2(&z, -MAX_WBITS) == Z_OK;
  }
  ~MemberStream() {
    if (deflated && ready)
      inflateEnd(&z);
  }
  MemberStream(const MemberStream &) = delete;

  /// Fills `size` bytes; false when the member holds fewer or is corrupt.
  bool read(void *data, size_t size) {
    if (!deflated) {
      if (size > left || !pull(data, size))
        return false;
      left -= size;
    } else if (!inflateInto(static_cast<uint8_t *>(data), size)) {
      return false;
    }
    updateCrc(data, size);
    return true;
  }
  uint32_t crc() const { return static_cast<uint32_t>(sum); }

private:
  bool pull(void *data, size_t size) {
    char *p = static_cast<char *>(data);
    while (size) {
      ssize_t n = ::pread(fd, p, size, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return false;
      p += n;
      size -= static_cast<size_t>(n);
      offset += static_cast<uint64_t>(n);
    }
    return true;
  }
  bool inflateInto(uint8_t *out, size_t size) {
    if (!ready)
      return false;
    while (size) {
      if (z.avail_in == 0 && left) {
        size_t n = left < sizeof(input) ? left : sizeof(input);
        if (!pull(input, n))
          return false;
        left -= n;
        z.next_in = input;
        z.avail_in = static_cast<uInt>(n);
      }
      uInt want = size < (1u << 30) ? static_cast<uInt>(size) : 1u << 30;
      z.next_out = out;
      z.avail_out = want;
      int rc = inflate(&z, Z_NO_FLUSH);
      size_t made = want - z.avail_out;
      out += made;
      size -= made;
      if (rc == Z_STREAM_END)
        return size == 0;
      // Z_BUF_ERROR without progress: the stream ends too early.
      if (rc != Z_OK || (made == 0 && z.avail_in == 0 && left == 0))
        return false;
    }
    return true;
  }
  void updateCrc(const void *data, size_t size) {
    const Bytef *p = static_cast<const Bytef *>(data);
    while (size) {
      uInt n = size < (1u << 30) ? static_cast<uInt>(size) : 1u << 30;
      sum = crc32(sum, p, n);
      p += n;
      size -= n;
    }
  }

  int fd;
  uint64_t offset, left;
  bool deflated, ready = true;
  z_stream z{};
  uLong sum = crc32(0, nullptr, 0);
  uint8_t input[1 << 16];
};

/// Fortran order to row-major. Element size is a power of two or 1 to 16.
void toRowMajor(const std::byte *from, std::byte *to,
                const std::vector<int64_t> &shape, size_t item) {
  size_t rank = shape.size();
  std::vector<int64_t> stride(rank), index(rank, 0);
  int64_t step = 1;
  for (size_t d = 0; d < rank; ++d) {
    stride[d] = step;
    step *= shape[d];
  }
  int64_t total = step, source = 0;
  for (int64_t i = 0; i < total; ++i) {
    std::memcpy(to + static_cast<size_t>(i) * item,
                from + static_cast<size_t>(source) * item, item);
    for (size_t d = rank; d-- > 0;) {
      source += stride[d];
      if (++index[d] < shape[d])
        break;
      source -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
}

} // namespace

NpzReader::NpzReader(NpzReader &&other) noexcept { *this = std::move(other); }

NpzReader &NpzReader::operator=(NpzReader &&other) noexcept {
  if (this != &other) {
    if (fd >= 0)
      ::close(fd);
    path = std::move(other.path);
    fd = std::exchange(other.fd, -1);
    fileSize = other.fileSize;
    members = std::move(other.members);
  }
  return *this;
}

NpzReader::~NpzReader() {
  if (fd >= 0)
    ::close(fd);
}

Status NpzReader::error(const std::string &text) const {
  return Status::badInput("'" + path + "': " + text);
}

Status NpzReader::readAt(uint64_t offset, void *data, size_t size) const {
  if (offset > fileSize || size > fileSize - offset)
    return error("truncated or corrupt npz archive");
  char *p = static_cast<char *>(data);
  while (size) {
    ssize_t n = ::pread(fd, p, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return error(std::string("cannot read: ") + std::strerror(errno));
    if (n == 0)
      return error("the file became shorter while it was read");
    p += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
  return Status::ok();
}

Result<NpzReader> NpzReader::open(const std::string &path) {
  NpzReader r;
  r.path = path;
  r.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (r.fd < 0 || ::fstat(r.fd, &info) != 0)
    return Status::badInput("cannot read '" + path +
                            "': " + std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    return r.error("not a regular file, which an npz archive must be");
  r.fileSize = static_cast<uint64_t>(info.st_size);

  // The end record is the last thing in the file but for a comment.
  uint64_t tailSize = std::min<uint64_t>(r.fileSize, 22 + 0xffff);
  std::vector<uint8_t> tail(tailSize);
  if (Status s = r.readAt(r.fileSize - tailSize, tail.data(), tailSize); !s)
    return s;
  int64_t at = static_cast<int64_t>(tailSize) - 22;
  while (at >= 0 &&
         !(get32(&tail[at]) == endMagic &&
           at + 22 + get16(&tail[at + 20]) <= static_cast<int64_t>(tailSize)))
    --at;
  if (at < 0) {
    bool npy = false;
    uint8_t magic[6];
    if (r.fileSize >= 6 && r.readAt(0, magic, 6).isOk())
      npy = std::memcmp(magic, "\x93NUMPY", 6) == 0;
    return r.error(npy ? "is a single npy array; an npz archive is wanted "
                         "(numpy.savez, with names arg0, arg1, …)"
                       : "truncated or not an npz archive (no zip directory "
                         "at the end)");
  }
  uint64_t endOffset = r.fileSize - tailSize + static_cast<uint64_t>(at);
  uint64_t count = get16(&tail[at + 10]), size = get32(&tail[at + 12]),
           offset = get32(&tail[at + 16]);
  if (endOffset >= 20) {
    uint8_t locator[20], end64[56];
    if (Status s = r.readAt(endOffset - 20, locator, 20); !s)
      return s;
    if (get32(locator) == locator64Magic) {
      if (Status s = r.readAt(get64(locator + 8), end64, 56); !s)
        return s;
      if (get32(end64) != end64Magic)
        return r.error("corrupt npz archive (zip64 directory)");
      count = get64(end64 + 32);
      size = get64(end64 + 40);
      offset = get64(end64 + 48);
    }
  }
  if (offset > r.fileSize || size > r.fileSize - offset || size / 46 < count)
    return r.error("corrupt npz archive (directory outside the file)");
  std::vector<uint8_t> directory(size);
  if (Status s = r.readAt(offset, directory.data(), size); !s)
    return s;

  uint64_t p = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (size - p < 46 || get32(&directory[p]) != centralMagic)
      return r.error("corrupt npz archive (directory)");
    const uint8_t *e = &directory[p];
    Member m{get32(e + 42), get32(e + 20), get32(e + 24),
             get32(e + 16), get16(e + 10), get16(e + 8)};
    uint64_t nameSize = get16(e + 28), extraSize = get16(e + 30),
             commentSize = get16(e + 32);
    uint64_t total = 46 + nameSize + extraSize + commentSize;
    if (total > size - p)
      return r.error("corrupt npz archive (directory)");
    std::string name(reinterpret_cast<const char *>(e + 46), nameSize);
    // The zip64 extra field has, in this order, what did not fit above.
    const uint8_t *x = e + 46 + nameSize, *xEnd = x + extraSize;
    while (xEnd - x >= 4) {
      uint16_t id = get16(x), n = get16(x + 2);
      x += 4;
      if (n > xEnd - x)
        break;
      if (id == 1) {
        const uint8_t *f = x, *fEnd = x + n;
        for (uint64_t *field : {&m.size, &m.compressedSize, &m.headerOffset})
          if (*field == 0xffffffff && fEnd - f >= 8) {
            *field = get64(f);
            f += 8;
          }
      }
      x += n;
    }
    p += total;
    if (name.size() >= 4 && name.ends_with(".npy"))
      name.resize(name.size() - 4);
    r.members[name] = m;
  }
  return r;
}

std::vector<std::string> NpzReader::names() const {
  std::vector<std::string> result;
  for (auto &[name, member] : members)
    result.push_back(name);
  return result;
}

Result<NpyArray> NpzReader::read(const std::string &name) const {
  return read(name, /*headerOnly=*/false);
}

Result<std::vector<int64_t>> NpzReader::shape(const std::string &name) const {
  Result<NpyArray> array = read(name, /*headerOnly=*/true);
  if (!array)
    return array.status();
  return array->shape;
}

Result<NpyArray> NpzReader::read(const std::string &name,
                                 bool headerOnly) const {
  auto it = members.find(name);
  if (it == members.end())
    return error("has no array '" + name + "'");
  const Member &m = it->second;
  auto bad = [&](const std::string &why) {
    return error("array '" + name + "': " + why);
  };
  const std::string corrupt = "truncated or corrupt data";
  if (m.flags & 1)
    return bad("encrypted members are not supported");
  if (m.method != 0 && m.method != 8)
    return bad("compression method " + std::to_string(m.method) +
               " is not supported (stored or deflated are)");
  uint8_t local[30];
  if (Status s = readAt(m.headerOffset, local, 30); !s)
    return bad(corrupt);
  if (get32(local) != localMagic)
    return bad(corrupt);
  uint64_t dataOffset =
      m.headerOffset + 30 + get16(local + 26) + get16(local + 28);
  if (dataOffset > fileSize || m.compressedSize > fileSize - dataOffset)
    return bad(corrupt);
  // Deflate shrinks by at most about 1030; a claim beyond that is not true,
  // and nothing must be allocated for it.
  if (m.method == 0 ? m.size != m.compressedSize
                    : m.size / 1040 > m.compressedSize + 64)
    return bad(corrupt);

  MemberStream stream(fd, dataOffset, m.compressedSize, m.method == 8);
  std::vector<std::byte> head(12);
  if (m.size < 12 || !stream.read(head.data(), 12))
    return bad(m.size < 12 ? "not an npy array" : corrupt);
  size_t major = static_cast<size_t>(head[6]), length = 0;
  for (size_t i = 0, n = major == 1 ? 2 : 4; i < n; ++i)
    length |= static_cast<size_t>(head[8 + i]) << (8 * i);
  size_t headerEnd = (major == 1 ? 10 : 12) + length;
  if (std::memcmp(head.data(), "\x93NUMPY", 6) == 0 && headerEnd > 12 &&
      headerEnd <= m.size && headerEnd < (1u << 24)) {
    head.resize(headerEnd);
    if (!stream.read(head.data() + 12, headerEnd - 12))
      return bad(corrupt);
  }
  Result<NpyHeader> header = parseNpyHeader(head.data(), head.size());
  if (!header)
    return bad(header.status().message());

  NpyArray array;
  array.kind = header->kind;
  array.itemSize = header->itemSize;
  array.descr = header->descr;
  array.shape = header->shape;
  // parseNpyHeader made sure that this does not overflow.
  uint64_t bytes =
      static_cast<uint64_t>(numElements(array.shape) * array.itemSize);
  if (bytes != m.size - header->headerBytes)
    return bad("its header says " + std::to_string(bytes) +
               " bytes of data, but there are " +
               std::to_string(m.size - header->headerBytes));
  if (headerOnly)
    return array;
  array.data = AlignedBuffer(bytes);
  if (!array.data.isValid())
    return bad("not enough memory for " + std::to_string(bytes) + " bytes");
  if (!stream.read(array.data.data(), bytes))
    return bad(corrupt);
  if (stream.crc() != m.crc)
    return bad("checksum mismatch: the file is corrupt");
  if (header->fortranOrder && array.shape.size() > 1 && bytes > 0) {
    AlignedBuffer ordered(bytes);
    if (!ordered.isValid())
      return bad("not enough memory for " + std::to_string(bytes) + " bytes");
    toRowMajor(array.data.data(), ordered.data(), array.shape,
               static_cast<size_t>(array.itemSize));
    array.data = std::move(ordered);
  }
  return array;
}

Result<HostTensor> NpzReader::read(const std::string &key, DType type,
                                   const std::vector<int64_t> &shape) const {
  Result<NpyArray> array = read(key);
  if (!array)
    return array.status();
  Result<HostTensor> tensor = toTensor(std::move(*array), type, shape);
  if (!tensor)
    return error("array '" + key + "' " + tensor.status().message());
  return tensor;
}

Result<HostTensor> toTensor(NpyArray array, DType type,
                            const std::vector<int64_t> &shape) {
  if (!npyHolds(array.kind, array.itemSize, type))
    return Status::badInput("has type '" + array.descr +
                            "', but the module wants " +
                            std::string(name(type)) + ": " + npyTypeFor(type));
  if (array.shape != shape)
    return Status::badInput("is " + describe(type, array.shape) +
                            ", but the module wants " + describe(type, shape));
  HostTensor tensor{type, shape, std::move(array.data)};
  int64_t n = tensor.elements();
  if (type == DType::I1)
    for (int64_t i = 0; i < n; ++i)
      tensor.data()[i] = std::byte{tensor.data()[i] != std::byte{0}};
  int bits = type == DType::I2 || type == DType::UI2   ? 2
             : type == DType::I4 || type == DType::UI4 ? 4
                                                       : 0;
  if (bits) {
    // ml_dtypes (|V1) leaves the high bits to chance; plain integers must fit.
    for (int64_t i = 0; i < n; ++i) {
      uint8_t raw = static_cast<uint8_t>(tensor.data()[i]);
      uint8_t low = raw & ((1u << bits) - 1);
      if (isSignedInt(type) && (low >> (bits - 1)))
        low |= static_cast<uint8_t>(0xff << bits);
      if (array.kind != 'V' && low != raw)
        return Status::badInput("has a value that does not fit " +
                                std::string(name(type)) +
                                " at row-major index " + std::to_string(i));
      tensor.data()[i] = std::byte{low};
    }
  }
  return tensor;
}

Result<HostTensor> readNpy(const std::string &path, DType type,
                           const std::vector<int64_t> &shape) {
  auto bad = [&](const std::string &why) {
    return Status::badInput("'" + path + "': " + why);
  };
  Result<std::string> content = readFile(path);
  if (!content)
    return content.status();
  const std::byte *bytes = reinterpret_cast<const std::byte *>(content->data());
  Result<NpyHeader> header = parseNpyHeader(bytes, content->size());
  if (!header)
    return bad(header.status().message());
  NpyArray array;
  array.kind = header->kind;
  array.itemSize = header->itemSize;
  array.descr = header->descr;
  array.shape = header->shape;
  uint64_t size =
      static_cast<uint64_t>(numElements(array.shape) * array.itemSize);
  if (content->size() - header->headerBytes != size)
    return bad("truncated, or longer than its header says");
  array.data = AlignedBuffer(size);
  if (!array.data.isValid())
    return bad("not enough memory for " + std::to_string(size) + " bytes");
  if (header->fortranOrder && array.shape.size() > 1 && size > 0)
    toRowMajor(bytes + header->headerBytes, array.data.data(), array.shape,
               static_cast<size_t>(array.itemSize));
  else
    std::memcpy(array.data.data(), bytes + header->headerBytes, size);
  Result<HostTensor> tensor = toTensor(std::move(array), type, shape);
  if (!tensor)
    return bad("its array " + tensor.status().message());
  return tensor;
}

} // namespace shoal::rt
