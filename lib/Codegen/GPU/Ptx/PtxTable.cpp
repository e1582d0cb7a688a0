//===- PtxTable.cpp - The entries of the table of GPU instructions --------===//

#include "shoal/Codegen/GPU/PtxInstructions.h"

#include <vector>

using namespace llvm;

namespace shoal {

using Memory = PtxInstruction::Memory;

namespace {
/// Builds the table; operand lists are made from the signature.
struct Table {
  std::vector<PtxInstruction> entries;

  void add(std::string name, std::string signature, std::string assembly,
           Memory memory = Memory::None, bool convergent = false,
           unsigned chip = 80) {
    entries.push_back({std::move(name), std::move(signature),
                       std::move(assembly), memory, convergent, chip});
  }

  void addMma();
  void addMatrixMoves();
  void addAsyncCopies();
  void addAtomics();
  void addMemory();
  void addMultimem();
  void addConversions();
  void addControl();
};

/// "{$first,$first+1,…}" of `count` operands.
std::string group(unsigned first, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += (i ? ",$" : "$") + std::to_string(first + i);
  return text + "}";
}
} // namespace

//===----------------------------------------------------------------------===//
// Matrix multiply and its operands
//===----------------------------------------------------------------------===//

void Table::addMma() {
  /// d (c registers) = a·b + c, all lanes together.
  auto mma = [&](StringRef shape, StringRef accumulator, StringRef a,
                 StringRef b, char operandType, unsigned numA, unsigned numB,
                 char resultType, unsigned numC, StringRef suffix,
                 unsigned chip) {
    std::string c(numC, resultType);
    std::string signature =
        c + "(" + std::string(numA + numB, operandType) + c + ")";
    std::string text = "mma.sync.aligned." + shape.str() + ".row.col" +
                       suffix.str() + "." + accumulator.str() + "." + a.str() +
                       "." + b.str() + "." + accumulator.str() + " " +
                       group(0, numC) + ", " + group(numC, numA) + ", " +
                       group(numC + numA, numB) + ", " +
                       group(numC + numA + numB, numC) + ";";
    std::string name = "mma_" + shape.str() + "_" + accumulator.str() + "_" +
                       a.str() + (a == b ? "" : "_" + b.str());
    add(name, signature, text, Memory::None, /*convergent=*/true, chip);
  };
  for (StringRef type : {"f16", "bf16"}) {
    mma("m16n8k16", "f32", type, type, 'i', 4, 2, 'f', 4, "", 80);
    mma("m16n8k8", "f32", type, type, 'i', 2, 1, 'f', 4, "", 80);
  }
  mma("m16n8k16", "f16", "f16", "f16", 'i', 4, 2, 'i', 2, "", 80);
  mma("m16n8k8", "f32", "tf32", "tf32", 'i', 4, 2, 'f', 4, "", 80);
  mma("m16n8k4", "f32", "tf32", "tf32", 'i', 2, 1, 'f', 4, "", 80);
  for (StringRef a : {"e4m3", "e5m2"})
    for (StringRef b : {"e4m3", "e5m2"})
      mma("m16n8k32", "f32", a, b, 'i', 4, 2, 'f', 4, "", 89);
  for (StringRef a : {"s8", "u8"})
    for (StringRef b : {"s8", "u8"}) {
      mma("m16n8k32", "s32", a, b, 'i', 4, 2, 'i', 4, "", 80);
      mma("m16n8k16", "s32", a, b, 'i', 2, 1, 'i', 4, "", 80);
    }
  mma("m8n8k4", "f64", "f64", "f64", 'd', 1, 1, 'd', 2, "", 80);
  mma("m16n8k4", "f64", "f64", "f64", 'd', 2, 1, 'd', 4, "", 90);
  mma("m16n8k8", "f64", "f64", "f64", 'd', 4, 2, 'd', 4, "", 90);
}

void Table::addMatrixMoves() {
  for (unsigned count : {1, 2, 4})
    for (bool trans : {false, true}) {
      std::string kind = "x" + std::to_string(count);
      std::string suffix = trans ? "_trans" : "";
      std::string dot = trans ? ".trans" : "";
      add("ldmatrix_" + kind + suffix, std::string(count, 'i') + "(s)",
          "ldmatrix.sync.aligned.m8n8." + kind + dot + ".shared.b16 " +
              group(0, count) + ", [$" + std::to_string(count) + "];",
          Memory::Read, true);
      add("stmatrix_" + kind + suffix, "(s" + std::string(count, 'i') + ")",
          "stmatrix.sync.aligned.m8n8." + kind + dot + ".shared.b16 [$0], " +
              group(1, count) + ";",
          Memory::Write, true, 90);
    }
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

void Table::addAsyncCopies() {
  for (unsigned bytes : {4, 8, 16}) {
    std::string size = std::to_string(bytes);
    std::string op = std::string("cp.async.") + (bytes == 16 ? "cg" : "ca") +
                     ".shared.global";
    // shared <- global
    add("cp_async_" + size, "(sp)", op + " [$0], [$1], " + size + ";",
        Memory::Write);
    // The same of the first $2 bytes, the rest zero: 0 reads nothing.
    add("cp_async_" + size + "_zfill", "(spi)",
        op + " [$0], [$1], " + size + ", $2;", Memory::Write);
  }
  add("cp_async_commit", "()", "cp.async.commit_group;", Memory::Write);
  for (unsigned n = 0; n < 8; ++n)
    add("cp_async_wait_" + std::to_string(n), "()",
        "cp.async.wait_group " + std::to_string(n) + ";", Memory::Write);
}

//===----------------------------------------------------------------------===//
// Atomics
//===----------------------------------------------------------------------===//

void Table::addAtomics() {
  struct Type {
    const char *name;
    char letter;
    std::vector<const char *> ops;
  };
  const Type types[] = {
      {"u32", 'i', {"add", "min", "max"}},
      {"s32", 'i', {"min", "max"}},
      {"b32", 'i', {"and", "or", "xor", "exch"}},
      {"u64", 'l', {"add", "min", "max"}},
      {"s64", 'l', {"min", "max"}},
      {"b64", 'l', {"and", "or", "xor", "exch"}},
      {"f32", 'f', {"add"}},
      {"f64", 'd', {"add"}},
      {"f16x2", 'i', {"add"}},
      {"bf16x2", 'i', {"add"}},
  };
  for (const char *sem : {"relaxed", "acquire", "release", "acq_rel"})
    for (const char *scope : {"cta", "gpu", "sys"}) {
      std::string where = std::string(sem) + "." + scope + ".global.";
      std::string suffix = std::string("_") + sem + "_" + scope + "_";
      bool canRed = StringRef(sem) == "relaxed" || StringRef(sem) == "release";
      for (const Type &type : types)
        for (const char *op : type.ops) {
          StringRef name = type.name;
          std::string noftz =
              name.starts_with("f16") || name.starts_with("bf16") ? ".noftz"
                                                                  : "";
          unsigned chip = name.starts_with("bf16") ? 90 : 80;
          std::string letter(1, type.letter);
          add(std::string("atom_") + op + suffix + type.name,
              letter + "(p" + letter + ")",
              "atom." + where + op + noftz + "." + type.name + " $0, [$1], $2;",
              Memory::Write, false, chip);
          if (canRed && StringRef(op) != "exch")
            add(std::string("red_") + op + suffix + type.name,
                "(p" + letter + ")",
                "red." + where + op + noftz + "." + type.name + " [$0], $1;",
                Memory::Write, false, chip);
        }
      // Compare and swap: old = cas(address, expected, new).
      add("atom_cas" + suffix + "b16", "h(phh)",
          "atom." + where + "cas.b16 $0, [$1], $2, $3;", Memory::Write);
      add("atom_cas" + suffix + "b32", "i(pii)",
          "atom." + where + "cas.b32 $0, [$1], $2, $3;", Memory::Write);
      add("atom_cas" + suffix + "b64", "l(pll)",
          "atom." + where + "cas.b64 $0, [$1], $2, $3;", Memory::Write);
      if (!canRed)
        continue;
      // Vector reductions of 8 and 16 bytes (sm_90).
      for (unsigned n : {2, 4}) {
        std::string v = "v" + std::to_string(n);
        add("red_add" + suffix + v + "_f32", "(p" + std::string(n, 'f') + ")",
            "red." + where + "add." + v + ".f32 [$0], " + group(1, n) + ";",
            Memory::Write, false, 90);
        for (const char *type : {"f16x2", "bf16x2"})
          add("red_add" + suffix + v + "_" + type,
              "(p" + std::string(n, 'i') + ")",
              "red." + where + "add.noftz." + v + "." + type + " [$0], " +
                  group(1, n) + ";",
              Memory::Write, false, 90);
      }
    }
}

//===----------------------------------------------------------------------===//
// Loads and stores with order, scope or cache hints
//===----------------------------------------------------------------------===//

void Table::addMemory() {
  struct Type {
    const char *name;
    char letter;
  };
  for (Type type : {Type{"b32", 'i'}, Type{"b64", 'l'}}) {
    std::string letter(1, type.letter);
    for (const char *scope : {"gpu", "sys"}) {
      for (const char *sem : {"acquire", "relaxed"})
        add(std::string("ld_") + sem + "_" + scope + "_" + type.name,
            letter + "(p)",
            std::string("ld.") + sem + "." + scope + ".global." + type.name +
                " $0, [$1];",
            Memory::Write);
      for (const char *sem : {"release", "relaxed"})
        add(std::string("st_") + sem + "_" + scope + "_" + type.name,
            "(p" + letter + ")",
            std::string("st.") + sem + "." + scope + ".global." + type.name +
                " [$0], $1;",
            Memory::Write);
    }
  }
  // Read-only data used once (or to be kept), as 32-bit words.
  struct Hint {
    const char *name, *load, *store;
  };
  for (Hint hint :
       {Hint{"no_allocate", ".nc.L1::no_allocate", nullptr},
        Hint{"evict_first", ".nc.L1::evict_first", ".L1::evict_first"},
        Hint{"evict_last", ".nc.L1::evict_last", ".L1::evict_last"},
        Hint{"streaming", ".cs", ".cs"}})
    for (unsigned n : {1, 2, 4}) {
      std::string v = n == 1 ? "" : ".v" + std::to_string(n);
      std::string name = "v" + std::to_string(n) + "_b32";
      add(std::string("ld_") + hint.name + "_" + name,
          std::string(n, 'i') + "(p)",
          std::string("ld.global") + hint.load + v + ".b32 " +
              (n == 1 ? "$0" : group(0, n)) + ", [$" + std::to_string(n) + "];",
          Memory::Read);
      if (hint.store)
        add(std::string("st_") + hint.name + "_" + name,
            "(p" + std::string(n, 'i') + ")",
            std::string("st.global") + hint.store + v + ".b32 [$0], " +
                (n == 1 ? "$1" : group(1, n)) + ";",
            Memory::Write);
    }
  add("prefetch_l2", "(p)", "prefetch.global.L2 [$0];", Memory::Write);
}

/// NVLink SHARP: one address stands for the copies on all devices.
void Table::addMultimem() {
  for (const char *sem : {"relaxed", "acquire"})
    for (const char *scope : {"gpu", "sys"}) {
      std::string where = std::string(sem) + "." + scope + ".global.add";
      std::string prefix =
          std::string("multimem_ld_reduce_add_") + sem + "_" + scope + "_";
      add(prefix + "f32", "f(p)",
          "multimem.ld_reduce." + where + ".f32 $0, [$1];", Memory::Write,
          false, 90);
      add(prefix + "u32", "i(p)",
          "multimem.ld_reduce." + where + ".u32 $0, [$1];", Memory::Write,
          false, 90);
      add(prefix + "v4_f32", "ffff(p)",
          "multimem.ld_reduce." + where + ".v4.f32 {$0,$1,$2,$3}, [$4];",
          Memory::Write, false, 90);
      for (const char *type : {"bf16x2", "f16x2"})
        add(prefix + "v4_" + type, "iiii(p)",
            "multimem.ld_reduce." + where + ".acc::f32.v4." + type +
                " {$0,$1,$2,$3}, [$4];",
            Memory::Write, false, 90);
    }
  for (const char *sem : {"relaxed", "release"})
    for (const char *scope : {"gpu", "sys"}) {
      std::string where = std::string(sem) + "." + scope + ".global";
      std::string suffix = std::string(sem) + "_" + scope + "_";
      add("multimem_st_" + suffix + "u32", "(pi)",
          "multimem.st." + where + ".u32 [$0], $1;", Memory::Write, false, 90);
      add("multimem_st_" + suffix + "v4_f32", "(pffff)",
          "multimem.st." + where + ".v4.f32 [$0], {$1,$2,$3,$4};",
          Memory::Write, false, 90);
      for (const char *type : {"bf16x2", "f16x2"})
        add("multimem_st_" + suffix + "v4_" + type, "(piiii)",
            "multimem.st." + where + ".v4." + type + " [$0], {$1,$2,$3,$4};",
            Memory::Write, false, 90);
      add("multimem_red_add_" + suffix + "u32", "(pi)",
          "multimem.red." + where + ".add.u32 [$0], $1;", Memory::Write, false,
          90);
      add("multimem_red_add_" + suffix + "v4_f32", "(pffff)",
          "multimem.red." + where + ".add.v4.f32 [$0], {$1,$2,$3,$4};",
          Memory::Write, false, 90);
      add("multimem_red_add_" + suffix + "v4_bf16x2", "(piiii)",
          "multimem.red." + where + ".add.v4.bf16x2 [$0], {$1,$2,$3,$4};",
          Memory::Write, false, 90);
    }
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

void Table::addConversions() {
  // Bits of a tf32 (an f32 with 10 bits of mantissa), rounded to nearest.
  add("cvt_rna_tf32_f32", "i(f)", "cvt.rna.tf32.f32 $0, $1;");
  // Two f32 to a packed pair: the first operand is the upper half.
  add("cvt_rn_bf16x2_f32", "i(ff)", "cvt.rn.bf16x2.f32 $0, $1, $2;");
  add("cvt_rn_f16x2_f32", "i(ff)", "cvt.rn.f16x2.f32 $0, $1, $2;");
  for (const char *type : {"e4m3x2", "e5m2x2"}) {
    add(std::string("cvt_rn_satfinite_") + type + "_f32", "h(ff)",
        std::string("cvt.rn.satfinite.") + type + ".f32 $0, $1, $2;",
        Memory::None, false, 89);
    add(std::string("cvt_rn_f16x2_") + type, "i(h)",
        std::string("cvt.rn.f16x2.") + type + " $0, $1;", Memory::None, false,
        89);
  }
  add("ex2_approx_ftz_f32", "f(f)", "ex2.approx.ftz.f32 $0, $1;");
  add("lg2_approx_ftz_f32", "f(f)", "lg2.approx.ftz.f32 $0, $1;");
  add("rcp_approx_ftz_f32", "f(f)", "rcp.approx.ftz.f32 $0, $1;");
  add("tanh_approx_f32", "f(f)", "tanh.approx.f32 $0, $1;");
  add("ex2_approx_ftz_bf16x2", "i(i)", "ex2.approx.ftz.bf16x2 $0, $1;",
      Memory::None, false, 90);
}

//===----------------------------------------------------------------------===//
// Order and control
//===----------------------------------------------------------------------===//

void Table::addControl() {
  for (const char *scope : {"cta", "gpu", "sys"})
    for (const char *sem : {"acq_rel", "sc"})
      add(std::string("fence_") + sem + "_" + scope, "()",
          std::string("fence.") + sem + "." + scope + ";", Memory::Write);
  // Programmatic dependent launch: wait for the kernels before; let the next
  // start.
  add("griddepcontrol_wait", "()", "griddepcontrol.wait;", Memory::Write, false,
      90);
  add("griddepcontrol_launch_dependents", "()",
      "griddepcontrol.launch_dependents;", Memory::Write, false, 90);
  // A barrier of some warps: number (1-15), threads.
  add("bar_sync", "(ii)", "bar.sync $0, $1;", Memory::Write, true);
  add("bar_arrive", "(ii)", "bar.arrive $0, $1;", Memory::Write, true);
  add("nanosleep", "(i)", "nanosleep.u32 $0;", Memory::Write);
  add("globaltimer", "l()", "mov.u64 $0, %globaltimer;", Memory::Write);
}

ArrayRef<PtxInstruction> ptxInstructions() {
  static const std::vector<PtxInstruction> entries = [] {
    Table table;
    table.addMma();
    table.addMatrixMoves();
    table.addAsyncCopies();
    table.addAtomics();
    table.addMemory();
    table.addMultimem();
    table.addConversions();
    table.addControl();
    return std::move(table.entries);
  }();
  return entries;
}

} // namespace shoal
