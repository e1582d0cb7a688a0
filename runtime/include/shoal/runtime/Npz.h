// NumPy's .npz archives: reading with every offset checked, and writing.
#ifndef SHOAL_RUNTIME_NPZ_H
#define SHOAL_RUNTIME_NPZ_H

#include "shoal/runtime/AtomicFile.h"
#include "shoal/runtime/Status.h"
#include "shoal/runtime/Tensor.h"

#include <map>
#include <string>
#include <vector>

namespace shoal::rt {

/// An array as the file describes it, already in row-major order.
struct NpyArray {
  char kind = 0;        // 'f', 'i', 'u', 'b', 'c', 'V'
  int64_t itemSize = 0; // bytes
  std::string descr;    // as written in the file, for messages
  std::vector<int64_t> shape;
  AlignedBuffer data;
};

/// An open archive. Arrays are read on demand, so a large one that nobody
/// asks for costs nothing. Stored and deflated members, zip64, npy 1 to 3.
class NpzReader {
public:
  NpzReader() = default;
  NpzReader(NpzReader &&other) noexcept;
  NpzReader &operator=(NpzReader &&other) noexcept;
  ~NpzReader();

  /// Reads and checks the directory. Errors name the file.
  static Result<NpzReader> open(const std::string &path);

  /// The names of the arrays, without ".npy", in ascending order.
  std::vector<std::string> names() const;
  bool contains(const std::string &name) const {
    return members.count(name) != 0;
  }
  Result<NpyArray> read(const std::string &name) const;
  /// An array's shape; its elements are not looked at.
  Result<std::vector<int64_t>> shape(const std::string &name) const;
  /// Reads an array that must have this element type and shape. How types are
  /// stored: DESIGN.md section 4 (bf16 as |V2, fp8 as |V1 or |f1, i1 as bool,
  /// i2 and i4 as int8, …).
  Result<HostTensor> read(const std::string &name, DType type,
                          const std::vector<int64_t> &shape) const;

private:
  struct Member {
    uint64_t headerOffset, compressedSize, size;
    uint32_t crc;
    uint16_t method, flags;
  };
  Result<NpyArray> read(const std::string &name, bool headerOnly) const;
  Status readAt(uint64_t offset, void *data, size_t size) const;
  Status error(const std::string &text) const;

  std::string path;
  int fd = -1;
  uint64_t fileSize = 0;
  std::map<std::string, Member> members;
};

/// The header of an npy file, checked.
struct NpyHeader {
  char kind;
  int64_t itemSize;
  bool fortranOrder;
  std::string descr;
  std::vector<int64_t> shape;
  size_t headerBytes; // where the data begins
};
/// Parses the start of an npy file: `bytes` holds at least the first 12 bytes
/// and as much of the header as there is. On failure the text says why.
Result<NpyHeader> parseNpyHeader(const std::byte *bytes, size_t size);

/// Reads a single .npy file that must hold this type and shape.
Result<HostTensor> readNpy(const std::string &path, DType type,
                           const std::vector<int64_t> &shape);

/// Turns an array into a tensor, or says why it cannot be one. Error texts do
/// not name the array.
Result<HostTensor> toTensor(NpyArray array, DType type,
                            const std::vector<int64_t> &shape);

/// Whether an array of this kind holds elements of `type`.
bool npyHolds(char kind, int64_t itemSize, DType type);
/// What NumPy type a user should give for `type`: "int8", "bool", …
std::string npyTypeFor(DType type);

/// Writes an archive of stored members, bit for bit the same for the same
/// arrays. The file appears on `finish`.
class NpzWriter {
public:
  NpzWriter() = default;
  static Result<NpzWriter> open(const std::string &path);
  Status add(const std::string &name, DType type,
             const std::vector<int64_t> &shape, const void *data);
  Status finish();

private:
  struct Entry {
    std::string name;
    uint64_t offset, size;
    uint32_t crc;
  };
  AtomicFile file;
  std::vector<Entry> entries;
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_NPZ_H
