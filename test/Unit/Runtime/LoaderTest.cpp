// The loader's checks: nothing that is cut off or damaged gets as far as
// dlopen.
#include "TestProgram.h"

#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace shoal;
using namespace shoal::rt;

namespace {

void seal(std::string &image) {
  program::Footer footer = {};
  std::memcpy(footer.magic, program::kFooterMagic, 8);
  footer.fileSize = image.size() + sizeof(footer);
  footer.checksum = program::checksum(image.data(), image.size());
  image.append(reinterpret_cast<char *>(&footer), sizeof(footer));
}

/// An ELF image with a program table, as the loader checks it before dlopen.
std::string sampleFile() {
  TestProgram p;
  p.mesh(2);
  uint32_t f32 = p.type(DType::F32, {4});
  uint32_t a = p.argument(f32, f32), out = p.result(f32, f32);
  p.add(program::Opcode::Collective,
        {static_cast<int64_t>(program::CollectiveKind::AllReduce), 0,
         static_cast<int64_t>(program::Reduction::Add), 1, a, out});
  std::vector<uint64_t> table = p.table(p.block(0));
  std::string names = std::string("\0.shoal.program\0.shstrtab\0", 26);

  Elf64_Ehdr h = {};
  std::memcpy(h.e_ident, ELFMAG, SELFMAG);
  h.e_ident[EI_CLASS] = ELFCLASS64;
  h.e_ident[EI_DATA] = ELFDATA2LSB;
  h.e_type = ET_DYN;
  h.e_machine = EM_X86_64;
  h.e_phentsize = sizeof(Elf64_Phdr);
  h.e_shentsize = sizeof(Elf64_Shdr);
  h.e_phnum = 1;
  h.e_shnum = 3;
  h.e_shstrndx = 2;
  h.e_phoff = sizeof(h);
  uint64_t tableAt = sizeof(h) + sizeof(Elf64_Phdr);
  uint64_t namesAt = tableAt + table.size() * 8;
  h.e_shoff = namesAt + 32;
  Elf64_Phdr load = {};
  load.p_type = PT_LOAD;
  load.p_filesz = load.p_memsz = namesAt;
  Elf64_Shdr sections[3] = {};
  sections[1].sh_type = SHT_PROGBITS;
  sections[1].sh_name = 1;
  sections[1].sh_offset = tableAt;
  sections[1].sh_size = table.size() * 8;
  sections[2].sh_type = SHT_STRTAB;
  sections[2].sh_name = 16;
  sections[2].sh_offset = namesAt;
  sections[2].sh_size = names.size();
  std::string image(reinterpret_cast<char *>(&h), sizeof(h));
  image.append(reinterpret_cast<char *>(&load), sizeof(load));
  image.append(reinterpret_cast<char *>(table.data()), table.size() * 8);
  names.resize(32);
  image += names;
  image.append(reinterpret_cast<char *>(sections), sizeof(sections));
  seal(image);
  return image;
}

TEST(Loader, AcceptsTheSample) {
  std::string file = sampleFile();
  Result<PackageLayout> layout = checkPackage(file.data(), file.size());
  ASSERT_TRUE(layout) << layout.status().message();
  EXPECT_GT(layout->programSize, 0u);
}

TEST(Loader, RefusesEveryTruncation) {
  std::string file = sampleFile();
  for (size_t n = 0; n < file.size(); ++n) {
    // Exactly as large as it is, so that a sanitizer sees reads beyond it.
    std::vector<char> part(file.begin(), file.begin() + n);
    Result<PackageLayout> layout = checkPackage(part.data(), part.size());
    ASSERT_FALSE(layout) << n;
    EXPECT_EQ(layout.status().code(), ExitCode::BadInput);
  }
}

TEST(Loader, RefusesEveryDamage) {
  std::string file = sampleFile();
  for (size_t n = 0; n + sizeof(program::Footer) < file.size(); ++n) {
    std::string bad = file;
    bad[n] = static_cast<char>(bad[n] ^ 0xff);
    EXPECT_FALSE(checkPackage(bad.data(), bad.size())) << n;
    // With a checksum that fits, what it leads to must still be harmless; the
    // table has a checksum of its own.
    bad.resize(bad.size() - sizeof(program::Footer));
    seal(bad);
    (void)checkPackage(bad.data(), bad.size());
  }
}

TEST(Loader, SurvivesDamagedTablesWithGoodChecksums) {
  // All 256 values of single bytes would take long; a few per byte will do.
  TestProgram p;
  p.mesh(2);
  uint32_t f32 = p.type(DType::F32, {4});
  uint32_t a = p.argument(f32, f32), out = p.result(f32, f32);
  p.add(program::Opcode::Collective,
        {static_cast<int64_t>(program::CollectiveKind::AllReduce), 0,
         static_cast<int64_t>(program::Reduction::Add), 1, a, out});
  std::vector<uint64_t> good = p.table(p.block(0));
  ASSERT_EQ(program::validate(good.data(), good.size() * 8), "");
  for (size_t n = 0; n < good.size() * 8; ++n)
    for (int flip : {0x01, 0x80, 0xff}) {
      std::vector<uint64_t> bad = good;
      char *bytes = reinterpret_cast<char *>(bad.data());
      bytes[n] = static_cast<char>(bytes[n] ^ flip);
      program::Header h;
      std::memcpy(&h, bytes, sizeof(h));
      if (h.size >= 32 && h.size <= bad.size() * 8) {
        h.checksum = program::checksum(bytes + 32, h.size - 32);
        std::memcpy(bytes, &h, sizeof(h));
      }
      std::vector<uint64_t> exact(bad); // for sanitizers
      if (program::validate(exact.data(), exact.size() * 8).empty() &&
          exact.size() * 8 == h.size && h.numRanks == 2) {
        // What is accepted must run, or end with a diagnostic.
        Result<Package> package = Package::fromTable(exact, {}, {});
        if (!package)
          continue;
        const program::View &v = package->program();
        std::vector<HostTensor> arguments;
        for (const auto &arg :
             v.section<program::Argument>(program::Section::Arguments)) {
          auto shape = v.shape(arg.globalType);
          arguments.push_back(tensor(v.type(arg.globalType).dtype,
                                     {shape.begin(), shape.end()}, {}));
        }
        RunOptions o;
        o.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        (void)runPackage(*package, std::move(arguments), o);
      }
    }
}

TEST(Loader, NamesTheFile) {
  std::string path =
      ::testing::TempDir() + "shoal-" + std::to_string(::getpid()) + ".so";
  for (const std::string &content : {std::string(), std::string("not a model"),
                                     sampleFile().substr(0, 200)}) {
    std::ofstream(path, std::ios::binary) << content;
    Result<Package> package = Package::open(path);
    ASSERT_FALSE(package);
    EXPECT_NE(package.status().message().find(path), std::string::npos);
  }
  ::unlink(path.c_str());
}

} // namespace
