#include "MemoryTimeline.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>
#include <map>

namespace shoal::simulation {

constexpr double kNever = std::numeric_limits<double>::infinity();

MemoryTimeline::MemoryTimeline(const program::View &program,
                               const SlotFlow &flow)
    : program(program), flow(flow), current(program.slots().size(), kNothing) {}

uint32_t MemoryTimeline::add(const Accesses &accesses) {
  size_t begin = touched.size();
  auto touch = [&](int64_t slot, bool anew) {
    if (static_cast<uint32_t>(slot) == program::kNone)
      return;
    uint32_t base = flow.base(slot);
    const program::Slot &record = program.slots()[base];
    if (record.kind != program::SlotKind::Arena)
      return;
    if (current[base] == kNothing ||
        (anew && base == static_cast<uint32_t>(slot))) {
      current[base] = static_cast<uint32_t>(lives.size());
      lives.push_back({static_cast<int64_t>(record.bytes), kNever, -kNever});
    }
    touched.push_back(current[base]);
  };
  for (int64_t slot : accesses.in)
    touch(slot, false);
  for (int64_t slot : accesses.out)
    // What is written where it is read goes on living.
    touch(slot, llvm::none_of(accesses.in, [&](int64_t in) {
            return static_cast<uint32_t>(in) != program::kNone &&
                   static_cast<uint32_t>(slot) != program::kNone &&
                   flow.base(in) == flow.base(slot);
          }));
  if (touched.size() == begin)
    return kNothing;
  first.push_back(static_cast<uint32_t>(touched.size()));
  return static_cast<uint32_t>(first.size() - 2);
}

void MemoryTimeline::begin(uint32_t number, double now) {
  if (number == kNothing)
    return;
  for (uint32_t t = first[number]; t < first[number + 1]; ++t)
    lives[touched[t]].begin = std::min(lives[touched[t]].begin, now);
}

void MemoryTimeline::end(uint32_t number, double now) {
  if (number == kNothing)
    return;
  for (uint32_t t = first[number]; t < first[number + 1]; ++t)
    lives[touched[t]].end = std::max(lives[touched[t]].end, now);
}

std::vector<std::pair<double, int64_t>> MemoryTimeline::timeline() const {
  int64_t always = 0;
  for (const program::Argument &a :
       program.section<program::Argument>(program::Section::Arguments))
    always += static_cast<int64_t>(program.slots()[a.slot].bytes);
  for (const program::Result &r :
       program.section<program::Result>(program::Section::Results))
    if (r.aliasArgument == program::kNone)
      always += static_cast<int64_t>(program.slots()[r.slot].bytes);
  // What ends makes room for what begins at the same moment.
  std::map<double, int64_t> changes{{0.0, 0}};
  for (const Life &life : lives)
    if (life.begin < life.end) {
      changes[life.begin] += life.bytes;
      changes[life.end] -= life.bytes;
    }
  std::vector<std::pair<double, int64_t>> result;
  for (auto [time, change] : changes)
    if (result.empty() || change != 0)
      result.push_back(
          {time, change + (result.empty() ? always : result.back().second)});
  return result;
}

} // namespace shoal::simulation
