// The program table: what one rank executes, as flat little-endian records.
//
// lib/Package writes it into section `.shoal.program` of the shared object;
// the runtime, the simulator and `--inspect` read it. It is one contiguous
// block: a Header, then the sections that Header::sections locates, each an
// array of one record type. Every reference is an index or an offset and is
// checked once by `validate` before anything is used, so that readers may index
// without further tests. C++20, no LLVM, no dynamic memory.
//
// Vocabulary
//   rank        a device, numbered by its row-major position in the mesh
//               (0 .. numRanks-1). A program without a mesh has one rank.
//   slot        a numbered buffer of a rank: a pointer and a type. Arena,
//               argument, result, constant and view slots get their pointer
//               before the program starts; handle slots by View and Handles
//               instructions. Every slot's memory is dense and row-major.
//   register    a numbered host scalar of a rank: int64. Predicates are 0 or 1.
//   block       a run of instructions; block Header::mainBlock is the program.
//
// Element storage is the kernel ABI's: i1 one byte (0 or 1), i2/i4/ui2/ui4 one
// byte sign- or zero-extended, f8/f6/f4 one byte, complex two reals. A quantized
// tensor is stored as its storage type.
#ifndef SHOAL_RUNTIME_PROGRAM_H
#define SHOAL_RUNTIME_PROGRAM_H

#include "shoal/runtime/DType.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace shoal::program {

inline constexpr char kMagic[8] = {'S', 'H', 'O', 'A', 'L', 'P', 'R', 'G'};
/// Raised whenever a record or the meaning of an operand changes.
inline constexpr uint32_t kVersion = 5;
/// ELF sections and the dynamic symbols that stand at their first byte.
inline constexpr char kProgramSection[] = ".shoal.program";
inline constexpr char kConstantsSection[] = ".shoal.constants";
inline constexpr char kImagesSection[] = ".shoal.images";
inline constexpr char kProgramSymbol[] = "shoal_program";
inline constexpr char kConstantsSymbol[] = "shoal_constants";
inline constexpr char kImagesSymbol[] = "shoal_images";
/// `.shoal.constants` and each constant of at least a page start on a page.
inline constexpr uint64_t kPageSize = 4096;
/// Arena offsets and small constants are multiples of this.
inline constexpr uint64_t kBufferAlignment = 64;
/// "None" for every 32-bit index.
inline constexpr uint32_t kNone = 0xffffffffu;

//===----------------------------------------------------------------------===//
// Footer of the file
//===----------------------------------------------------------------------===//

inline constexpr char kFooterMagic[8] = {'S', 'H', 'O', 'A', 'L', 'E', 'N', 'D'};

/// The last 32 bytes of a model.so, after the ELF image, so that a damaged or
/// truncated file is known before dlopen touches it.
struct Footer {
  char magic[8];
  uint64_t fileSize; ///< of the whole file, this footer included
  uint64_t checksum; ///< xxh64 (seed 0) of the file up to the footer
  uint64_t reserved;
};
static_assert(sizeof(Footer) == 32);

//===----------------------------------------------------------------------===//
// Basic records
//===----------------------------------------------------------------------===//

/// Bytes of the string pool; the pool holds a NUL after each string.
struct Str {
  uint32_t offset, length;
};

/// A run of the int64 pool (Section::Ints).
struct Ints {
  uint32_t first, count;
};

using rt::DType; // Invalid stands for a token, which has no bytes

/// A tensor type. For a quantized one `dtype` is the storage type and
/// `quantization` says the rest.
struct Type {
  DType dtype;
  uint8_t reserved[3];
  uint32_t quantization; ///< index into Section::Quantizations, or kNone
  Ints shape;
};

struct Quantization {
  DType storage, expressed;
  uint8_t reserved[2];
  int32_t dimension;      ///< per-axis: which; -1: per tensor
  int64_t storageMin, storageMax;
  uint32_t firstScale;    ///< into Section::Doubles
  uint32_t numScales;
  Ints zeroPoints;        ///< as many as scales
};

//===----------------------------------------------------------------------===//
// Mesh, groups of ranks, shardings
//===----------------------------------------------------------------------===//

struct MeshAxis {
  Str name;
  int64_t size;
};

/// A digit of the rank number: (rank / stride) % size. A mesh axis, a sub-axis,
/// or several merged ones.
struct Digit {
  int64_t size, stride;
};

/// A communicator: a partition of (some of) the ranks into groups of equal size.
/// Form Digits: the digits, major to minor, are the position within the group,
/// all other digits of the rank say which group. Form Table: `table` holds
/// numGroups x groupSize ranks, a row per group in order of position; a rank in
/// no row does not take part.
struct Group {
  Str name;            ///< "dp", "dp,tp", "x:(2)2": for messages and reports
  uint32_t firstDigit; ///< into Section::Digits
  uint32_t numDigits;  ///< 0 with a non-empty table: form Table
  Ints table;
  int64_t groupSize;
  int64_t numGroups;
};

/// How a global tensor is cut. Dimension d is cut into `parts` blocks of `block`
/// elements; the part of a rank is the number its digits, major to minor, form;
/// part i holds [i*block, min((i+1)*block, n)) of the n global elements,
/// possibly nothing. The local shape always is `block` along the dimension
/// (n itself where parts is 1 and block is n): what lies past the global end is
/// padding with undefined contents. Ranks that agree in all digits hold copies.
struct ShardDim {
  int64_t parts, block;
  uint32_t firstDigit, numDigits;
};

struct Sharding {
  uint32_t firstDim; ///< into Section::ShardDims, one per dimension
  uint32_t numDims;
  uint32_t onlyRank; ///< the one rank that holds the tensor, or kNone
  uint32_t reserved;
  Str text;          ///< as the user would write it
};

//===----------------------------------------------------------------------===//
// Slots, constants, kernels, entry
//===----------------------------------------------------------------------===//

enum class SlotKind : uint8_t {
  Arena = 0,    ///< memory at `offset` in the rank's arena
  Argument = 1, ///< `ref` an argument; written only if that one is donated
  Result = 2,   ///< `ref` a result
  Constant = 3, ///< `ref` a constant; read-only
  View = 4,     ///< slot `ref` (a lower number, never Handle) plus `offset`
  Handle = 5,   ///< set by View and Handles instructions
  Host = 6      ///< memory at `offset` in the rank's part of the host's memory;
                ///< only Copy may read or write it, from or to another kind
};

struct Slot {
  uint32_t type;
  SlotKind kind;
  uint8_t reserved[3];
  uint32_t ref;
  uint32_t reserved2;
  int64_t offset; ///< bytes
  uint64_t bytes; ///< of the type, unpadded
  Str name;       ///< origin, for messages and dumps; may be empty
};

/// Bytes [offset, offset+bytes) of the constants section, of type `type`. If
/// `sharding` is not kNone this is the global value, and a rank's slot is its
/// block (a pointer into the section when only the outermost dimension is cut
/// and the block is whole, else a copy made at start-up).
struct Constant {
  uint64_t offset, bytes;
  uint32_t type;
  uint32_t sharding;
};

/// A compiled kernel (ABI in KernelABI.h). Buffers are the inputs, then the
/// outputs. Chunks [0, numChunks) may run in any order and in parallel.
struct Kernel {
  Str symbol;
  Str name; ///< readable: "add_tanh"
  Str loc;
  uint32_t numInputs, numOutputs, numScalars;
  uint32_t reserved;
  int64_t numChunks;    ///< >= 1
  int64_t scratchBytes; ///< per thread that runs chunks; 0: none
  int64_t flops;        ///< estimate per launch, for traces; 0: unknown
  int64_t bytes;        ///< read and written per launch, of operands that are
                        ///< sliced or updated in place only those parts
  Str library;          ///< on a GPU: the call of a library that does the same
                        ///< (runtime/cuda/math/MathCall.h); empty: none
};

/// Device code, bytes [offset, offset+bytes) of the images section.
enum class ImageKind : uint32_t {
  Cubin = 0, ///< for exactly one chip, as ptxas made it
  Ptx = 1,   ///< text without a terminating NUL; the driver compiles it
  Host = 2   ///< tests only: an ELF shared object that emulates the kernels
};
struct Image {
  ImageKind kind;
  uint32_t fallback; ///< of a Cubin: the Ptx image with the same kernels, for
                     ///< chips that came later; kNone if there is none
  Str chip;          ///< "sm_90a"
  uint64_t offset, bytes;
};

/// How a kernel is launched on a GPU. Section::GpuKernels is empty, or begins
/// with one record for each of Section::Kernels, in order. A kernel that needs
/// all its threads to meet is several launches, one after the other on the same
/// stream with the same parameters: the records after the first are found by
/// `next` and stand behind those of the kernels.
///
/// Parameters of every launch's function: a device pointer for each input, then
/// for each output; an int64 for each host scalar; and, if scratchBytes of the
/// first record > 0, a pointer to that much memory, which belongs to this run of
/// the kernel alone (all its launches see the same).
struct GpuKernel {
  Str symbol;          ///< the function; the first's is Kernel::symbol
  uint32_t image;      ///< the one that holds the symbol
  uint32_t next;       ///< the launch that follows (a higher number), or kNone
  uint32_t grid[3];    ///< blocks, at least 1 each
  uint32_t block;      ///< threads along x; y and z are 1
  uint32_t cluster[3]; ///< blocks of a cluster; 1, 1, 1: no clusters
  uint32_t sharedBytes; ///< dynamic shared memory; above 48 KiB it must be asked for
  uint32_t registers;   ///< per thread, as ptxas reports them; 0: unknown
  uint32_t spillBytes;  ///< local memory of a thread that ptxas spilled to
  uint32_t flags;       ///< GpuKernelFlag
  uint64_t scratchBytes; ///< 256-byte aligned; the same in all launches of a kernel
};
enum GpuKernelFlag : uint32_t {
  kScratchZeroed = 1, ///< scratch must be zero when the first launch starts
  kCooperative = 2,   ///< all blocks must be resident at once
};
/// Limits that no chip exceeds.
inline constexpr uint32_t kMaxBlockThreads = 1024;
inline constexpr uint32_t kMaxGridY = 65535;
inline constexpr uint32_t kMaxCluster = 16;
inline constexpr uint32_t kMaxSharedBytes = 227 * 1024;
inline constexpr uint64_t kImageAlignment = 64;

struct Argument {
  Str name;             ///< "arg0", or the user's
  uint32_t globalType, localType;
  uint32_t sharding;    ///< or kNone: every rank holds all of it
  uint32_t slot;        ///< kind Argument
  uint32_t donated;     ///< 1: its memory may be overwritten by a run
  uint32_t aliasResult; ///< donated: the result that shares its memory, or kNone
};

struct Result {
  Str name; ///< "out0", or the user's
  uint32_t globalType, localType;
  uint32_t sharding;
  uint32_t slot;          ///< kind Result, or, if aliasArgument, kind Argument
  uint32_t aliasArgument; ///< the argument in whose memory it is left, or kNone
  uint32_t reserved;
};

/// A library or custom call by name.
struct CustomCall {
  Str target;
  Str config; ///< backend_config as text, empty if none
  int64_t apiVersion;
  uint32_t hasSideEffect;
  uint32_t reserved;
};

enum class CheckKind : uint32_t {
  Eq = 0,       ///< equal; NaN differs from NaN unless nanEqual
  AlmostEq = 1, ///< |actual - expected| <= tolerance
  Close = 2,    ///< at most maxUlp and at least minUlp units in the last place
  True = 3,     ///< one operand, every element non-zero
  SerializedEq = 4 ///< equal to the .npy file `expectedFile`
};

/// Compares global values: a rank gives its block, the runtime judges the whole.
struct Check {
  CheckKind kind;
  uint32_t nanEqual;
  double tolerance; ///< for Eq on floats too, where it is not zero
  uint64_t minUlp, maxUlp;
  uint32_t actualSharding, expectedSharding; ///< or kNone: replicated
  uint32_t actualGlobalType, expectedGlobalType;
  Str message; ///< what the user called it, or the value's name
  Str expectedFile;
};

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//
// Operand notation: s = slot, r = register, b = block, k = kernel, g = group,
// e = event, c = check, x = custom call, any other = an int64 as it is.
// Instructions of a block run in order; a kernel, copy, or library call is done
// when the next instruction of its stream starts. Stream 0 is compute; further
// streams order only their own instructions, and Record/Wait between them.

enum class Opcode : uint16_t {
  Nop = 0, // -

  // Host scalars. Arithmetic wraps at 64 bits; narrower types follow it with
  // SWrap. Division by zero gives -1 and x rem 0 gives x, INT64_MIN / -1 wraps.
  SConst = 1,   // r dst, value
  SAdd = 2,     // r dst, r a, r b          (same for all binary ones)
  SSub = 3,
  SMul = 4,
  SDiv = 5,     // signed, towards zero
  SRem = 6,     // sign of the dividend
  SMin = 7,     // signed
  SMax = 8,
  SAnd = 9,
  SOr = 10,
  SXor = 11,
  SCompare = 12, // r dst, direction (0 eq, 1 ne, 2 lt, 3 le, 4 gt, 5 ge), r a, r b: signed
  SSelect = 13,  // r dst, r cond, r ifTrue, r ifFalse
  SWrap = 14,    // r dst, r a, bits (1, 2, 4, 8, 16, 32, 64), signed (0 or 1)
  SRank = 15,    // r dst: this rank's number
  SRead = 16,    // r dst, s src: waits until src is written; one element of an
                 //   integer type, sign- or zero-extended (ui64 as bits)
  SWrite = 17,   // s dst, r src: one element, truncated to the slot's type
  SMove = 18,    // n, then n x (r dst, r src): all read before any is written
  SUDiv = 19,    // unsigned division and remainder, x / 0 gives all ones
  SURem = 20,
  SUCompare = 21, // like SCompare, unsigned

  // Slots.
  View = 32,    // s dst (Handle), s base, byteOffset, n, then n x (r index, byteStride)
                //   dst = base + byteOffset + sum(index * byteStride)
  Handles = 33, // n, then n x (s dst (Handle), s src): all read before any is set
  Copy = 34,    // s dst, s src: same number of bytes; they do not overlap. On
                //   a stream other than 0 it runs beside the others, until an event
                //   that is recorded on that stream after it is awaited.
                //   Or followed by byteOffset, n, n x (r index, byteStride): one of
                //   the two is a Host slot, of which only as many bytes as the
                //   other has are copied, from byteOffset + sum(index * byteStride)
  Copy2D = 35,  // s dst, dstOffset, dstPitch, s src, srcOffset, srcPitch, rowBytes,
                //   rows, r index (or kNone), indexStride: all in bytes. Row i goes
                //   from src + i*srcPitch + c to dst + i*dstPitch + dstOffset with
                //   c = srcOffset + index*indexStride; a row is cut off where it
                //   would pass srcPitch (then the rest of dst's row is left alone)
  Fill = 36,    // s dst, elementBytes (1, 2, 4, 8 or 16), low 64 bits, high 64 bits

  // Compute.
  Exec = 48,    // k, then inputs s..., outputs s..., scalars r...
  Matmul = 49,  // s lhs, s rhs, s out, flags, accumulation dtype, nBatch, nM, nN, nK,
                //   then for each of those dimensions, in that order,
                //   size, lhsStride, rhsStride, outStride (elements, 0 where absent).
                //   out[b,m,n] = sum over k of lhs[b,m,k] * rhs[b,n,k]; element
                //   types are the slots'. flags: 1 add to what is in out;
                //   4 highest precision (do not lower f32 to bf16/tf32).
  Convolution = 50, // s lhs, s rhs, s out, flags (4 as above), n (spatial rank),
                //   lhs: batch dim, feature dim, n spatial dims;
                //   rhs: input feature dim, output feature dim, n spatial dims;
                //   out: batch dim, feature dim, n spatial dims;
                //   featureGroups, batchGroups, then for each spatial dim: stride,
                //   padLow, padHigh, lhsDilation, rhsDilation, reversed (0 or 1)
  CustomCall = 51, // x, nIn, nOut, s in..., s out...
  Check = 52,   // c, s actual, s expected (kNone for True, SerializedEq), s passed (an i1
                //   slot that receives the verdict, without failing the run; kNone: a
                //   mismatch makes the run exit 1)
  Fail = 53,    // string offset, length: ends the run with this message (exit 3)

  // Communication. A group of one copies. All ranks of the program reach the
  // same collective instructions in the same order. The in and out slots are
  // distinct and do not overlap, except where said.
  Collective = 64, // kind, g, reduction, n (buffers), s in[n], s out[n], params...
  CollectiveStart = 65, // e, then as Collective: returns at once; in and out
                //   are untouched until Done. Runs on the instruction's stream.
  CollectiveDone = 66,  // e
  Record = 67,  // e: completes when the stream's instructions so far have
  Wait = 68,    // e: the stream goes on when e has completed

  // Control.
  For = 80,     // r iv, r begin, r end, r step (> 0 or < 0; up to, not including, end),
                //   b body. The body may not write these registers.
  While = 81,   // b cond, r predicate (written by cond), b body
  Case = 82,    // r index, n, b branches[n]: index outside [0, n) takes the last
  Last = Case
};

/// First operand of Collective. `position` is the rank's place in its group of
/// size p. Along the dimension that is cut a tensor is [outer] rows of bytes; the
/// params give the sizes, so that the runtime needs no shapes. Where blocks do
/// not fill a row exactly, what lies past its end is padding: dropped when
/// written, undefined when read (but never read outside the slot).
enum class CollectiveKind : int64_t {
  AllGather = 0,     // outer, inBytes, outBytes: in is outer rows of inBytes, out outer
                     //   rows of outBytes <= p*inBytes; member j's row stands at
                     //   j*inBytes of out's row, cut off at outBytes
  ReduceScatter = 1, // outer, inBytes, outBytes: in is outer rows of inBytes <=
                     //   p*outBytes; out is bytes [position*outBytes, + outBytes) of
                     //   each reduced row
  AllReduce = 2,     // - : out may be in
  AllToAll = 3,      // splitOuter, splitRow, splitBytes, concatOuter, concatRow,
                     //   concatBytes. In is splitOuter rows of splitRow <=
                     //   p*splitBytes bytes. Piece j (bytes [j*splitBytes, +splitBytes)
                     //   of each row, in order) goes to member j, where it fills, in
                     //   order, bytes [position*concatBytes, + concatBytes) of the
                     //   concatOuter rows of concatRow <= p*concatBytes bytes; a piece
                     //   is splitOuter*splitBytes = concatOuter*concatBytes bytes
  Permute = 4,       // n, then n x (source, target) positions in the group: out is the
                     //   source's in, zeros where none sends
  Broadcast = 5,     // r root: out is the in of the member at position root
  Barrier = 6,       // - : n = 0 buffers
  Send = 7,          // channel, n, n x (source, target): in only, one half of a permute
  Recv = 8,          // channel, n, n x (source, target): out only, zeros if none sends
  Reblock = 9,       // outer, rowBytes, inRows, outRows, size, offset, step, wrap, fill
                     //   bytes, low, high 64 bits of fill, [s fill or kNone]. In is [outer][inRows], out
                     //   [outer][outRows] units of rowBytes. Member i holds global rows
                     //   [i*inRows, min((i+1)*inRows, size)) and gets rows
                     //   [offset + i*step, + outRows); those outside [0, size) are
                     //   taken modulo size (wrap = 1), or filled with the pattern of
                     //   `fill bytes` (0: undefined), or, where the twelfth parameter
                     //   is a slot, with its first `fill bytes` bytes
  RaggedAllToAll = 10, // rowBytes, rows, outRows: n = 6 in (input, output, input offsets,
                     //   send sizes, output offsets, receive sizes; the last four
                     //   rank-1 integers), out in s out[0] (out[1..5] are kNone): sends
                     //   rows [inOff[j], + send[j]) to member j's row outOff[j]; other
                     //   rows of out are those of `output`
  Last = RaggedAllToAll
};

/// Element-wise, on the slots' element type, in order of position (the result
/// is the same on each rank and each run). And, or, xor are bitwise; on i1
/// add is or, mul is and. None: kinds that do not reduce.
enum class Reduction : int64_t { None = 0, Add, Mul, Min, Max, And, Or, Xor, Last = Xor };

struct Instruction {
  Opcode opcode;
  uint16_t stream;
  uint32_t numOperands;
  uint32_t firstOperand; ///< into Section::Operands
  Str loc;               ///< "file:line:col" or "name at file:line:col"
};

struct Block {
  uint32_t firstInstruction, numInstructions;
};

//===----------------------------------------------------------------------===//
// Header
//===----------------------------------------------------------------------===//

enum class Section : uint32_t {
  Strings = 0,   // char
  Ints,          // int64_t: shapes, tables
  Doubles,       // double
  Operands,      // int64_t
  Types,         // Type
  Quantizations, // Quantization
  MeshAxes,      // MeshAxis
  DeviceIds,     // int64_t: device id of each rank; empty: the rank itself
  Digits,        // Digit
  Groups,        // Group
  ShardDims,     // ShardDim
  Shardings,     // Sharding
  Slots,         // Slot
  Constants,     // Constant
  Kernels,       // Kernel
  Arguments,     // Argument
  Results,       // Result
  CustomCalls,   // CustomCall
  Checks,        // Check
  Instructions,  // Instruction
  Blocks,        // Block
  Images,        // Image
  GpuKernels,    // GpuKernel: none, or those of Kernels, then further launches
  Count
};
inline constexpr uint32_t kNumSections = static_cast<uint32_t>(Section::Count);

/// Where a section lies: bytes from the header, a multiple of 8, and the number
/// of records.
struct Range {
  uint64_t offset, count;
};

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t headerSize;     ///< sizeof(Header)
  uint64_t size;           ///< of the whole table
  uint64_t checksum;       ///< xxh64 (seed 0) of bytes [32, size)
  uint64_t numRanks;       ///< product of the mesh axes, 1 without a mesh
  uint64_t arenaBytes;     ///< per rank
  uint64_t constantsBytes; ///< size of the constants section
  uint32_t mainBlock;
  uint32_t numRegisters;
  uint32_t numEvents;
  uint32_t numStreams;     ///< >= 1
  Str entry;               ///< name of the function
  Str target;              ///< "cpu", "cuda"
  Str chip;                ///< "x86-64-v3", "sm_90a", …
  Str features;            ///< required CPU features: "avx2,fma,…"
  Str producer;            ///< version of the compiler
  Str report;              ///< report.json of the compiler
  uint64_t imagesBytes;    ///< size of the images section
  uint64_t copiedBytes;    ///< by Copy and Copy2D, per step and rank (static trip counts)
  uint64_t hostBytes;      ///< per rank, of slots of kind Host
  Range sections[kNumSections];
};
static_assert(offsetof(Header, numRanks) == 32, "checksum covers what follows");
static_assert(sizeof(Instruction) == 20 && sizeof(Slot) == 40);
static_assert(sizeof(Image) == 32 && sizeof(GpuKernel) == 72);

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// Checks everything a reader relies on: magic, version, checksum, bounds and
/// alignment of sections, each index in each record, operand counts and kinds of
/// every opcode, sizes of slots against their types, arena and constant ranges,
/// views inside their base, blocks nested without recursion. `data` must be
/// 8-byte aligned. Returns "" or what is wrong. Never reads outside
/// [data, data+size). Source: runtime/core/ProgramValidate.cpp.
std::string validate(const void *data, size_t size);

/// xxh64 with seed 0, as used for the checksums.
uint64_t checksum(const void *data, size_t size);

/// Typed access to a validated table.
class View {
public:
  explicit View(const void *data) : base(static_cast<const char *>(data)) {}
  const Header &header() const {
    return *reinterpret_cast<const Header *>(base);
  }
  template <typename T> std::span<const T> section(Section s) const {
    const Range &r = header().sections[static_cast<uint32_t>(s)];
    return {reinterpret_cast<const T *>(base + r.offset),
            static_cast<size_t>(r.count)};
  }
  std::string_view str(Str s) const {
    return {section<char>(Section::Strings).data() + s.offset, s.length};
  }
  std::span<const int64_t> ints(Ints r) const {
    return section<int64_t>(Section::Ints).subspan(r.first, r.count);
  }
  std::span<const int64_t> operands(const Instruction &i) const {
    return section<int64_t>(Section::Operands)
        .subspan(i.firstOperand, i.numOperands);
  }
  std::span<const Instruction> instructions(uint32_t block) const {
    const Block &b = section<Block>(Section::Blocks)[block];
    return section<Instruction>(Section::Instructions)
        .subspan(b.firstInstruction, b.numInstructions);
  }
  const Type &type(uint32_t i) const { return section<Type>(Section::Types)[i]; }
  std::span<const int64_t> shape(uint32_t type) const {
    return ints(this->type(type).shape);
  }
  std::span<const Slot> slots() const { return section<Slot>(Section::Slots); }
  std::span<const Digit> digits(uint32_t first, uint32_t count) const {
    return section<Digit>(Section::Digits).subspan(first, count);
  }
  std::span<const ShardDim> dims(const Sharding &s) const {
    return section<ShardDim>(Section::ShardDims).subspan(s.firstDim, s.numDims);
  }
  /// The number that the digits of `rank`, major to minor, form.
  static int64_t number(std::span<const Digit> digits, int64_t rank) {
    int64_t n = 0;
    for (const Digit &d : digits)
      n = n * d.size + (rank / d.stride) % d.size;
    return n;
  }
  /// Which part of dimension `d` the rank holds.
  int64_t part(const ShardDim &d, int64_t rank) const {
    return number(digits(d.firstDigit, d.numDigits), rank);
  }
  /// The rank's place in its group, or -1 if it takes no part.
  int64_t position(const Group &g, int64_t rank) const;
  /// The ranks of the group that `rank` belongs to are
  /// member(g, rank, 0 .. groupSize-1).
  int64_t member(const Group &g, int64_t rank, int64_t position) const;

private:
  const char *base;
};

/// The table as text: entry, slots, and instructions with their locations.
/// Source: runtime/core/ProgramPrint.cpp.
std::string print(const View &view);

inline int64_t View::position(const Group &g, int64_t rank) const {
  if (g.table.count == 0)
    return number(digits(g.firstDigit, g.numDigits), rank);
  std::span<const int64_t> t = ints(g.table);
  for (size_t i = 0; i < t.size(); ++i)
    if (t[i] == rank)
      return static_cast<int64_t>(i) % g.groupSize;
  return -1;
}

inline int64_t View::member(const Group &g, int64_t rank,
                            int64_t position) const {
  if (g.table.count == 0) {
    std::span<const Digit> ds = digits(g.firstDigit, g.numDigits);
    for (size_t i = ds.size(); i-- > 0;) {
      const Digit &d = ds[i];
      rank += (position % d.size - (rank / d.stride) % d.size) * d.stride;
      position /= d.size;
    }
    return rank;
  }
  std::span<const int64_t> t = ints(g.table);
  for (size_t i = 0; i < t.size(); ++i)
    if (t[i] == rank)
      return t[i / g.groupSize * g.groupSize + position];
  return -1;
}

} // namespace shoal::program

#endif // SHOAL_RUNTIME_PROGRAM_H
