// Collects the records of a program table and lays them out.
#ifndef SHOAL_LIB_PACKAGE_TABLEWRITER_H
#define SHOAL_LIB_PACKAGE_TABLEWRITER_H

#include "shoal/runtime/Program.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"

#include <map>
#include <vector>

namespace shoal {

class TableWriter {
public:
  program::Str str(llvm::StringRef text);
  program::Ints ints(llvm::ArrayRef<int64_t> values);
  uint32_t type(program::DType dtype, llvm::ArrayRef<int64_t> shape,
                uint32_t quantization = program::kNone);
  uint32_t digits(llvm::ArrayRef<int64_t> sizeStridePairs);

  void emit(program::Opcode opcode, llvm::ArrayRef<int64_t> operands,
            program::Str loc, uint16_t stream = 0);

  /// Instructions emitted between the two go into a block of their own; blocks
  /// may nest.
  void beginBlock();
  uint32_t endBlock();

  /// The finished table: header, sections, checksum. The header's sections,
  /// size and checksum are filled in.
  std::vector<char> finish();

  program::Header header = {};
  std::vector<double> doubles;
  std::vector<program::Quantization> quantizations;
  std::vector<program::MeshAxis> meshAxes;
  std::vector<int64_t> deviceIds;
  std::vector<program::Group> groups;
  std::vector<program::ShardDim> shardDims;
  std::vector<program::Sharding> shardings;
  std::vector<program::Slot> slots;
  std::vector<program::Constant> constants;
  std::vector<program::Kernel> kernels;
  std::vector<program::Image> images;
  std::vector<program::GpuKernel> gpuKernels;
  std::vector<program::Argument> arguments;
  std::vector<program::Result> results;
  std::vector<program::CustomCall> customCalls;
  std::vector<program::Check> checks;

private:
  std::vector<char> strings{0}; // the empty string
  llvm::StringMap<uint32_t> stringOffsets;
  std::vector<int64_t> intPool, operandPool;
  std::map<std::vector<int64_t>, uint32_t> intOffsets;
  std::vector<program::Type> types;
  std::map<std::vector<int64_t>, uint32_t> typeIndices;
  std::vector<program::Digit> digitPool;
  std::map<std::vector<int64_t>, uint32_t> digitOffsets;
  std::vector<program::Instruction> instructions;
  std::vector<program::Block> blocks;
  std::vector<std::vector<program::Instruction>> open;
};

} // namespace shoal

#endif // SHOAL_LIB_PACKAGE_TABLEWRITER_H
