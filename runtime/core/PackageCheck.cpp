// What is checked of a package before the dynamic linker sees it: dlopen of a
// file that is shorter than its headers say ends in SIGBUS.
#include "shoal/runtime/Package.h"

#include <cstring>
#include <elf.h>
#include <memory>

namespace shoal::rt {

namespace {

/// Reads from an image with a bounds test; the image need not be aligned.
struct Image {
  const char *data;
  uint64_t size;
  template <typename T>
  bool read(uint64_t offset, T &out) const {
    if (offset > size || sizeof(T) > size - offset)
      return false;
    std::memcpy(&out, data + offset, sizeof(T));
    return true;
  }
  bool contains(uint64_t offset, uint64_t length) const {
    return offset <= size && length <= size - offset;
  }
};

} // namespace

std::string validateProgram(const void *table, size_t size) {
  std::string why = program::validate(table, size);
  if (!why.empty())
    return why;
  // Each rank has memory for these; no compiler makes so many.
  const program::Header &h = program::View(table).header();
  if (h.numRegisters > 1 << 22 || h.numEvents > 1 << 22)
    return "too many registers or events";
  return "";
}

Result<PackageLayout> checkPackage(const void *data, size_t size) {
  auto bad = [](const std::string &why) { return Status::badInput(why); };
  Image file{static_cast<const char *>(data), size};
  if (size < 4 || std::memcmp(data, ELFMAG, SELFMAG) != 0)
    return bad("not a compiled model (no ELF object)");
  program::Footer footer;
  if (size < sizeof(Elf64_Ehdr) + sizeof(footer))
    return bad("truncated: " + std::to_string(size) +
               " bytes are too few for a compiled model");
  file.read(size - sizeof(footer), footer);
  if (std::memcmp(footer.magic, program::kFooterMagic, sizeof(footer.magic)))
    return bad("truncated, or not a model that shoal-compile wrote (its end "
               "mark is missing)");
  if (footer.fileSize != size)
    return bad("truncated: the file has " + std::to_string(size) +
               " bytes, but was written with " +
               std::to_string(footer.fileSize));
  uint64_t image = size - sizeof(footer);
  if (program::checksum(data, image) != footer.checksum)
    return bad("corrupt: the checksum does not match");

  Elf64_Ehdr elf;
  file.size = image;
  file.read(0, elf);
  if (elf.e_ident[EI_CLASS] != ELFCLASS64 ||
      elf.e_ident[EI_DATA] != ELFDATA2LSB || elf.e_type != ET_DYN)
    return bad("not a 64-bit little-endian shared object");
#if defined(__x86_64__)
  if (elf.e_machine != EM_X86_64)
    return bad("compiled for another processor (ELF machine " +
               std::to_string(elf.e_machine) + ")");
#endif
  if (elf.e_phentsize != sizeof(Elf64_Phdr) ||
      elf.e_shentsize != sizeof(Elf64_Shdr) || elf.e_shnum == 0 ||
      elf.e_shstrndx >= elf.e_shnum ||
      !file.contains(elf.e_phoff, uint64_t{elf.e_phnum} * elf.e_phentsize) ||
      !file.contains(elf.e_shoff, uint64_t{elf.e_shnum} * elf.e_shentsize))
    return bad("corrupt: ELF headers lie outside the file");
  for (unsigned i = 0; i < elf.e_phnum; ++i) {
    Elf64_Phdr segment;
    file.read(elf.e_phoff + i * sizeof(segment), segment);
    if (segment.p_type == PT_LOAD &&
        (!file.contains(segment.p_offset, segment.p_filesz) ||
         segment.p_memsz < segment.p_filesz))
      return bad("corrupt: a segment lies outside the file");
  }
  Elf64_Shdr names;
  file.read(elf.e_shoff + elf.e_shstrndx * sizeof(names), names);
  if (!file.contains(names.sh_offset, names.sh_size))
    return bad("corrupt: section names lie outside the file");

  PackageLayout layout;
  bool hasProgram = false, hasConstants = false, hasImages = false;
  for (unsigned i = 0; i < elf.e_shnum; ++i) {
    Elf64_Shdr section;
    file.read(elf.e_shoff + i * sizeof(section), section);
    if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL)
      continue;
    if (!file.contains(section.sh_offset, section.sh_size))
      return bad("corrupt: a section lies outside the file");
    if (section.sh_name >= names.sh_size)
      return bad("corrupt: a section's name lies outside the file");
    const char *name = file.data + names.sh_offset + section.sh_name;
    uint64_t room = names.sh_size - section.sh_name;
    auto is = [&](const char *want) {
      size_t n = std::strlen(want) + 1;
      return n <= room && std::memcmp(name, want, n) == 0;
    };
    if (is(program::kProgramSection)) {
      hasProgram = true;
      layout.programOffset = section.sh_offset;
      layout.programSize = section.sh_size;
    } else if (is(program::kConstantsSection)) {
      hasConstants = true;
      layout.constantsOffset = section.sh_offset;
      layout.constantsSize = section.sh_size;
    } else if (is(program::kImagesSection)) {
      hasImages = true;
      layout.imagesOffset = section.sh_offset;
      layout.imagesSize = section.sh_size;
    }
  }
  if (!hasProgram)
    return bad("not a model that shoal-compile wrote (no program table)");

  // The table may lie at any offset in the file; readers want it aligned.
  auto table = std::make_unique<uint64_t[]>(layout.programSize / 8 + 1);
  std::memcpy(table.get(), file.data + layout.programOffset,
              layout.programSize);
  std::string why = validateProgram(table.get(), layout.programSize);
  if (!why.empty())
    return bad("corrupt program table: " + why);
  program::View view(table.get());
  if (view.header().constantsBytes > (hasConstants ? layout.constantsSize : 0))
    return bad("corrupt: constants are missing");
  if (view.header().imagesBytes > (hasImages ? layout.imagesSize : 0))
    return bad("corrupt: device code is missing");
  // Every CUDA kernel is launched through its record.
  if (view.str(view.header().target) == "cuda" &&
      view.section<program::GpuKernel>(program::Section::GpuKernels).size() <
          view.section<program::Kernel>(program::Section::Kernels).size())
    return bad("corrupt: a kernel has no GPU code");
  return layout;
}

} // namespace shoal::rt
