#include "shoal/Simulate/Simulator.h"

#include "core/Instructions.h"

#include "llvm/Support/JSON.h"

namespace shoal {

/// How many collectives an instruction does at once.
static int64_t combinedIn(const program::View &program,
                          const program::Instruction &i) {
  std::span<const int64_t> ops = program.operands(i);
  if (i.opcode == program::Opcode::CollectiveStart)
    ops = ops.subspan(1);
  return ops[0] == int64_t(program::CollectiveKind::RaggedAllToAll) ? 1
                                                                    : ops[3];
}

std::string chromeTrace(const program::View &program,
                        const Simulation &simulation) {
  auto instructions =
      program.section<program::Instruction>(program::Section::Instructions);
  std::vector<uint32_t> eventGroups(program.header().numEvents, 0);
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::json::OStream j(os);
  constexpr double toMicroseconds = 1e6;
  j.object([&] {
    j.attribute("displayTimeUnit", "ms");
    j.attributeArray("traceEvents", [&] {
      for (auto [time, bytes] : simulation.memory)
        j.object([&] {
          j.attribute("name", "memory");
          j.attribute("ph", "C");
          j.attribute("ts", time * toMicroseconds);
          j.attribute("pid", 0);
          j.attributeObject("args", [&] { j.attribute("bytes", bytes); });
        });
      for (const Simulation::Event &e : simulation.events) {
        const program::Instruction &i = instructions[e.instruction];
        j.object([&] {
          j.attribute("name", rt::nameOf(program, i, eventGroups));
          j.attribute("cat", e.communication ? "communication" : "compute");
          j.attribute("ph", "X");
          j.attribute("ts", e.begin * toMicroseconds);
          j.attribute("dur", (e.end - e.begin) * toMicroseconds);
          j.attribute("pid", e.rank);
          j.attribute("tid", static_cast<int64_t>(e.stream));
          j.attributeObject("args", [&] {
            std::string_view loc = program.str(i.loc);
            j.attribute("loc", llvm::StringRef(loc.data(), loc.size()));
            if (e.communication && i.opcode != program::Opcode::Copy)
              j.attribute("combined", combinedIn(program, i));
          });
        });
      }
    });
  });
  return text;
}

} // namespace shoal
