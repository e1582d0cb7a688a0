// Layout of a program table. See TableWriter.h.
#include "TableWriter.h"

#include <cstring>

using namespace shoal;
using namespace shoal::program;
using llvm::ArrayRef;

Str TableWriter::str(llvm::StringRef text) {
  if (text.empty())
    return {0, 0};
  auto [it, isNew] = stringOffsets.try_emplace(text, strings.size());
  if (isNew) {
    strings.insert(strings.end(), text.begin(), text.end());
    strings.push_back(0);
  }
  return {it->second, static_cast<uint32_t>(text.size())};
}

Ints TableWriter::ints(ArrayRef<int64_t> values) {
  if (values.empty())
    return {0, 0};
  auto [it, isNew] = intOffsets.try_emplace(values.vec(), intPool.size());
  if (isNew)
    intPool.insert(intPool.end(), values.begin(), values.end());
  return {it->second, static_cast<uint32_t>(values.size())};
}

uint32_t TableWriter::type(DType dtype, ArrayRef<int64_t> shape,
                           uint32_t quantization) {
  std::vector<int64_t> key{static_cast<int64_t>(dtype),
                           static_cast<int64_t>(quantization)};
  key.insert(key.end(), shape.begin(), shape.end());
  auto [it, isNew] = typeIndices.try_emplace(std::move(key), types.size());
  if (isNew) {
    Type type = {};
    type.dtype = dtype;
    type.quantization = quantization;
    type.shape = ints(shape);
    types.push_back(type);
  }
  return it->second;
}

uint32_t TableWriter::digits(ArrayRef<int64_t> pairs) {
  if (pairs.empty())
    return 0;
  auto [it, isNew] = digitOffsets.try_emplace(pairs.vec(), digitPool.size());
  if (isNew)
    for (size_t i = 0; i + 1 < pairs.size(); i += 2)
      digitPool.push_back({pairs[i], pairs[i + 1]});
  return it->second;
}

void TableWriter::emit(Opcode opcode, ArrayRef<int64_t> operands, Str loc,
                       uint16_t stream) {
  Instruction instruction = {};
  instruction.opcode = opcode;
  instruction.stream = stream;
  instruction.numOperands = operands.size();
  instruction.firstOperand = operandPool.size();
  instruction.loc = loc;
  operandPool.insert(operandPool.end(), operands.begin(), operands.end());
  open.back().push_back(instruction);
}

void TableWriter::beginBlock() { open.emplace_back(); }

uint32_t TableWriter::endBlock() {
  Block block = {};
  block.firstInstruction = instructions.size();
  block.numInstructions = open.back().size();
  instructions.insert(instructions.end(), open.back().begin(),
                      open.back().end());
  open.pop_back();
  blocks.push_back(block);
  return blocks.size() - 1;
}

std::vector<char> TableWriter::finish() {
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.headerSize = sizeof(Header);
  std::vector<char> out(sizeof(Header));
  auto add = [&](Section section, const auto &records) {
    out.resize((out.size() + 7) / 8 * 8);
    Range &range = header.sections[static_cast<uint32_t>(section)];
    range = {out.size(), records.size()};
    size_t bytes = records.size() * sizeof(records[0]);
    if (bytes) {
      size_t at = out.size();
      out.resize(at + bytes);
      std::memcpy(out.data() + at, records.data(), bytes);
    }
  };
  add(Section::Strings, strings);
  add(Section::Ints, intPool);
  add(Section::Doubles, doubles);
  add(Section::Operands, operandPool);
  add(Section::Types, types);
  add(Section::Quantizations, quantizations);
  add(Section::MeshAxes, meshAxes);
  add(Section::DeviceIds, deviceIds);
  add(Section::Digits, digitPool);
  add(Section::Groups, groups);
  add(Section::ShardDims, shardDims);
  add(Section::Shardings, shardings);
  add(Section::Slots, slots);
  add(Section::Constants, constants);
  add(Section::Kernels, kernels);
  add(Section::Arguments, arguments);
  add(Section::Results, results);
  add(Section::CustomCalls, customCalls);
  add(Section::Checks, checks);
  add(Section::Instructions, instructions);
  add(Section::Blocks, blocks);
  add(Section::Images, images);
  add(Section::GpuKernels, gpuKernels);
  out.resize((out.size() + 7) / 8 * 8);
  header.size = out.size();
  std::memcpy(out.data(), &header, sizeof(Header));
  header.checksum = checksum(out.data() + offsetof(Header, numRanks),
                             out.size() - offsetof(Header, numRanks));
  std::memcpy(out.data(), &header, sizeof(Header));
  return out;
}
