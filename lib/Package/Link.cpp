// ELF: an object for data, and the linker. See Link.h.
#include "Link.h"

#include "shoal/runtime/Program.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace llvm;

std::vector<char> shoal::makeDataObject(ArrayRef<char> table,
                                        ArrayRef<char> constants,
                                        ArrayRef<char> images) {
  // Sections: null, program, constants, symbols, symbol names, section names,
  // images.
  std::string symbolNames("\0", 1), sectionNames("\0", 1);
  auto add = [](std::string &pool, StringRef name) {
    uint32_t at = pool.size();
    pool += name.str();
    pool.push_back('\0');
    return at;
  };
  std::vector<ELF::Elf64_Sym> symbols(1);
  std::memset(symbols.data(), 0, sizeof(ELF::Elf64_Sym));
  auto addSymbol = [&](StringRef name, uint16_t section, uint64_t size) {
    ELF::Elf64_Sym symbol = {};
    symbol.st_name = add(symbolNames, name);
    symbol.setBindingAndType(ELF::STB_GLOBAL, ELF::STT_OBJECT);
    symbol.st_shndx = section;
    symbol.st_size = size;
    symbols.push_back(symbol);
  };
  addSymbol(program::kProgramSymbol, 1, table.size());
  addSymbol(program::kConstantsSymbol, 2, constants.size());
  if (!images.empty())
    addSymbol(program::kImagesSymbol, 6, images.size());

  std::vector<char> out(sizeof(ELF::Elf64_Ehdr));
  std::vector<ELF::Elf64_Shdr> sections(images.empty() ? 6 : 7);
  std::memset(sections.data(), 0, sections.size() * sizeof(ELF::Elf64_Shdr));
  auto place = [&](unsigned index, StringRef name, uint32_t type,
                   uint64_t flags, const void *data, size_t size,
                   uint64_t align) {
    out.resize(alignTo(out.size(), align));
    ELF::Elf64_Shdr &section = sections[index];
    section.sh_name = add(sectionNames, name);
    section.sh_type = type;
    section.sh_flags = flags;
    section.sh_offset = out.size();
    section.sh_size = size;
    section.sh_addralign = align;
    const char *bytes = static_cast<const char *>(data);
    out.insert(out.end(), bytes, bytes + size);
  };
  place(1, program::kProgramSection, ELF::SHT_PROGBITS, ELF::SHF_ALLOC,
        table.data(), table.size(), 64);
  place(2, program::kConstantsSection, ELF::SHT_PROGBITS, ELF::SHF_ALLOC,
        constants.data(), constants.size(), program::kPageSize);
  if (!images.empty())
    place(6, program::kImagesSection, ELF::SHT_PROGBITS, ELF::SHF_ALLOC,
          images.data(), images.size(), program::kImageAlignment);
  place(3, ".symtab", ELF::SHT_SYMTAB, 0, symbols.data(),
        symbols.size() * sizeof(ELF::Elf64_Sym), 8);
  sections[3].sh_link = 4;
  sections[3].sh_info = 1;
  sections[3].sh_entsize = sizeof(ELF::Elf64_Sym);
  place(4, ".strtab", ELF::SHT_STRTAB, 0, symbolNames.data(),
        symbolNames.size(), 1);
  uint32_t ownName = add(sectionNames, ".shstrtab");
  place(5, "", ELF::SHT_STRTAB, 0, sectionNames.data(), sectionNames.size(), 1);
  sections[5].sh_name = ownName;

  out.resize(alignTo(out.size(), 8));
  ELF::Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELF::ElfMagic, 4);
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_REL;
#if defined(__aarch64__)
  header.e_machine = ELF::EM_AARCH64;
#else
  header.e_machine = ELF::EM_X86_64;
#endif
  header.e_version = ELF::EV_CURRENT;
  header.e_shoff = out.size();
  header.e_ehsize = sizeof(ELF::Elf64_Ehdr);
  header.e_shentsize = sizeof(ELF::Elf64_Shdr);
  header.e_shnum = sections.size();
  header.e_shstrndx = 5;
  std::memcpy(out.data(), &header, sizeof(header));
  const char *bytes = reinterpret_cast<const char *>(sections.data());
  out.insert(out.end(), bytes,
             bytes + sections.size() * sizeof(ELF::Elf64_Shdr));
  return out;
}

static bool writeFile(StringRef path, ArrayRef<char> bytes,
                      std::string &error) {
  std::error_code code;
  raw_fd_ostream os(path, code, sys::fs::OF_None);
  if (!code) {
    os.write(bytes.data(), bytes.size());
    os.close();
    code = os.error();
    os.clear_error();
  }
  if (!code)
    return true;
  error = ("cannot write '" + path + "': " + code.message()).str();
  return false;
}

/// Runs the linker in this process: as a program, it would start for longer
/// than it links. It has state of its own, so one link at a time; and it sets
/// LLVM's command line options (llvm::cl) back, none of which a tool may read
/// after this.
static bool runLinker(ArrayRef<const char *> args, std::string &messages) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  raw_string_ostream os(messages);
  // With it, an error that ends the linker ends its call, not the process.
  CrashRecoveryContext::Enable();
  lld::Result result =
      lld::lldMain(args, os, os, {{lld::Gnu, &lld::elf::link}});
  CrashRecoveryContext::Disable();
  return result.retCode == 0;
}

std::vector<char> shoal::linkShared(ArrayRef<ArrayRef<char>> objects,
                                    std::string &error) {
  SmallString<128> dir;
  if (std::error_code code =
          sys::fs::createUniqueDirectory("shoal-link", dir)) {
    error = "cannot make a directory for temporary files: " + code.message();
    return {};
  }
  llvm::scope_exit cleanUp([&] { sys::fs::remove_directories(dir); });
  auto inDir = [&](const Twine &name) {
    SmallString<128> path(dir);
    sys::path::append(path, name);
    return std::string(path);
  };
  std::string output = inDir("model.so");
  std::vector<const char *> args{"ld.lld",
                                 "-shared",
                                 "-o",
                                 output.c_str(),
                                 "--hash-style=gnu",
                                 "--build-id=none",
                                 "-z",
                                 "noexecstack",
                                 "-z",
                                 "relro",
                                 "-z",
                                 "now",
                                 "-Bsymbolic",
                                 "--no-rosegment",
                                 "--threads=1"};
  std::vector<std::string> paths;
  for (auto [i, object] : llvm::enumerate(objects)) {
    paths.push_back(inDir("object" + Twine(i) + ".o"));
    if (!writeFile(paths.back(), object, error))
      return {};
  }
  for (const std::string &path : paths)
    args.push_back(path.c_str());
  std::string messages;
  if (!runLinker(args, messages)) {
    error = "the linker failed: " + messages;
    return {};
  }
  auto result = MemoryBuffer::getFile(output, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!result) {
    error = "cannot read '" + output + "': " + result.getError().message();
    return {};
  }
  return {(*result)->getBufferStart(), (*result)->getBufferEnd()};
}
