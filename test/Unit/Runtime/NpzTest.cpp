#include "shoal/runtime/Npz.h"

#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

using namespace shoal::rt;

namespace {

std::string temporary(const std::string &name) {
  return ::testing::TempDir() + "shoal-" + std::to_string(::getpid()) + "-" +
         name;
}

void put(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string get(const std::string &path) {
  Result<std::string> content = readFile(path);
  EXPECT_TRUE(content);
  return content ? *content : "";
}

std::string le(uint64_t value, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i)
    s.push_back(static_cast<char>(value >> (8 * i)));
  return s;
}

std::string npy(int version, const std::string &dict, const std::string &data) {
  std::string header = dict + "\n";
  return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' +
         le(header.size(), version == 1 ? 2 : 4) + header + data;
}

std::string deflated(const std::string &data) {
  z_stream z = {};
  deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, data.size()), 0);
  z.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  z.next_out = reinterpret_cast<Bytef *>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

/// An archive of one member, as NumPy writes it.
std::string zip(const std::string &name, const std::string &content,
                bool compress = false, bool zip64 = false) {
  std::string packed = compress ? deflated(content) : content;
  uint32_t crc = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef *>(content.data()),
            static_cast<uInt>(content.size())));
  std::string sizes = zip64 ? le(0xffffffff, 4) + le(0xffffffff, 4)
                            : le(packed.size(), 4) + le(content.size(), 4);
  std::string extra = zip64 ? le(1, 2) + le(16, 2) + le(content.size(), 8) +
                                  le(packed.size(), 8)
                            : "";
  std::string common = le(20, 2) + le(0, 2) + le(compress ? 8 : 0, 2) +
                       le(0, 4) + le(crc, 4) + sizes + le(name.size(), 2) +
                       le(extra.size(), 2);
  std::string local = "PK\3\4" + common + name + extra + packed;
  std::string central = "PK\1\2" + le(20, 2) + common + le(0, 2) + le(0, 2) +
                        le(0, 2) + le(0, 4) + le(0, 4) + name + extra;
  return local + central + "PK\5\6" + le(0, 4) + le(1, 2) + le(1, 2) +
         le(central.size(), 4) + le(local.size(), 4) + le(0, 2);
}

std::string floats(std::vector<float> v) {
  return std::string(reinterpret_cast<const char *>(v.data()), 4 * v.size());
}

TEST(Npz, WritesWhatItReads) {
  std::string path = temporary("all.npz");
  Result<NpzWriter> writer = NpzWriter::open(path);
  ASSERT_TRUE(writer);
  std::vector<std::vector<uint8_t>> data(numDTypes);
  for (int i = 1; i < numDTypes; ++i) {
    DType type = static_cast<DType>(i);
    data[i].resize(6 * byteSize(type));
    for (size_t b = 0; b < data[i].size(); ++b) // small enough for every type
      data[i][b] = static_cast<uint8_t>(b % 2);
    ASSERT_TRUE(
        writer->add("a" + std::to_string(i), type, {2, 3}, data[i].data()));
  }
  ASSERT_TRUE(writer->add("scalar", DType::F32, {}, data[27].data()));
  ASSERT_TRUE(writer->add("empty", DType::F32, {0, 5}, data[27].data()));
  // Nothing is there before the end.
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  ASSERT_TRUE(writer->finish());

  Result<NpzReader> reader = NpzReader::open(path);
  ASSERT_TRUE(reader) << reader.status().message();
  for (int i = 1; i < numDTypes; ++i) {
    Result<HostTensor> t =
        reader->read("a" + std::to_string(i), static_cast<DType>(i), {2, 3});
    ASSERT_TRUE(t) << t.status().message();
    EXPECT_EQ(std::memcmp(t->data(), data[i].data(), data[i].size()), 0) << i;
  }
  EXPECT_TRUE(reader->read("scalar", DType::F32, {}));
  EXPECT_TRUE(reader->read("empty", DType::F32, {0, 5}));
  EXPECT_FALSE(reader->read("missing", DType::F32, {}));
  // Types and shapes must fit.
  EXPECT_FALSE(reader->read("a27", DType::F64, {2, 3}));
  EXPECT_FALSE(reader->read("a27", DType::F32, {3, 2}));
  ::unlink(path.c_str());
}

TEST(Npz, EveryTruncationIsAnError) {
  std::string path = temporary("cut.npz");
  std::string whole =
      zip("x.npy", npy(1,
                       "{'descr': '<f4', 'fortran_order': False, "
                       "'shape': (3,), }",
                       floats({1, 2, 3})));
  put(path, whole);
  ASSERT_TRUE(NpzReader::open(path)->read("x", DType::F32, {3}));
  for (size_t n = 0; n < whole.size(); ++n) {
    put(path, whole.substr(0, n));
    Result<NpzReader> r = NpzReader::open(path);
    if (r)
      EXPECT_FALSE(r->read("x", DType::F32, {3})) << n;
    else
      EXPECT_EQ(r.status().code(), ExitCode::BadInput);
  }
  ::unlink(path.c_str());
}

TEST(Npz, EveryFlippedByteIsReadOrRefused) {
  std::string path = temporary("flip.npz");
  for (bool compress : {false, true}) {
    std::string whole = zip("x.npy",
                            npy(1,
                                "{'descr': '<f4', 'fortran_order': True, "
                                "'shape': (2, 3), }",
                                floats({1, 2, 3, 4, 5, 6})),
                            compress);
    for (size_t n = 0; n < whole.size(); ++n)
      for (int bits : {0xff, 0x01, 0x80}) {
        std::string bad = whole;
        bad[n] = static_cast<char>(bad[n] ^ bits);
        put(path, bad);
        if (Result<NpzReader> r = NpzReader::open(path))
          for (const std::string &name : r->names())
            if (Result<HostTensor> t = r->read(name, DType::F32, {2, 3}))
              EXPECT_EQ(t->buffer.size(), 24u);
      }
  }
  ::unlink(path.c_str());
}

TEST(Npz, Deflated64AndVersions) {
  std::string path = temporary("form.npz");
  for (int version : {1, 2, 3})
    for (bool compress : {false, true})
      for (bool zip64 : {false, true}) {
        put(path, zip("y.npy",
                      npy(version,
                          "{\"shape\": (2,), \"fortran_order\": "
                          "False, \"descr\": \"<f4\"}",
                          floats({7, 8})),
                      compress, zip64));
        Result<NpzReader> r = NpzReader::open(path);
        ASSERT_TRUE(r) << r.status().message();
        Result<HostTensor> t = r->read("y", DType::F32, {2});
        ASSERT_TRUE(t) << t.status().message();
        EXPECT_EQ(toDouble(DType::F32, t->data() + 4), 8);
      }
  ::unlink(path.c_str());
}

TEST(Npz, FortranOrder) {
  std::string path = temporary("fortran.npz");
  put(path, zip("x.npy", npy(1,
                             "{'descr': '<f4', 'fortran_order': True, "
                             "'shape': (2, 3), }",
                             floats({1, 4, 2, 5, 3, 6}))));
  Result<HostTensor> t = NpzReader::open(path)->read("x", DType::F32, {2, 3});
  ASSERT_TRUE(t);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(toDouble(DType::F32, t->data() + 4 * i), i + 1);
  ::unlink(path.c_str());
}

std::string whyNot(const std::string &descr, DType type, std::string data) {
  std::string path = temporary("type.npz");
  put(path, zip("x.npy", npy(1,
                             "{'descr': '" + descr +
                                 "', 'fortran_order': False, 'shape': ()}",
                             data)));
  Result<HostTensor> t = NpzReader::open(path)->read("x", type, {});
  ::unlink(path.c_str());
  return t ? "" : t.status().message();
}

TEST(Npz, TypesAreExplained) {
  EXPECT_NE(whyNot(">f4", DType::F32, "abcd").find("big-endian"),
            std::string::npos);
  EXPECT_NE(whyNot("<i8", DType::I32, "abcdefgh").find("int32"),
            std::string::npos);
  EXPECT_NE(whyNot("|O", DType::F32, "").find("not supported"),
            std::string::npos);
  EXPECT_NE(whyNot("|i1", DType::I4, "\x09").find("does not fit"),
            std::string::npos);
  EXPECT_EQ(whyNot("|i1", DType::I4, "\xf9"), "");
  EXPECT_EQ(whyNot("|V1", DType::I4, "\x09"), ""); // ml_dtypes: low bits
  EXPECT_EQ(whyNot("|V2", DType::BF16, "ab"), "");
  EXPECT_EQ(whyNot("<f1", DType::F8E5M2, "a"), "");
  EXPECT_EQ(whyNot("|b1", DType::I1, "\1"), "");
}

TEST(Npz, WriterLeavesOldFileOnFailure) {
  std::string path = temporary("keep.npz");
  put(path, "old");
  {
    Result<NpzWriter> writer = NpzWriter::open(path);
    ASSERT_TRUE(writer);
    float x = 1;
    ASSERT_TRUE(writer->add("x", DType::F32, {}, &x));
  } // never finished
  EXPECT_EQ(get(path), "old");
  EXPECT_FALSE(NpzWriter::open("/nonexistent/x.npz"));
  EXPECT_FALSE(NpzWriter::open("/"));
  ::unlink(path.c_str());
}

} // namespace
