#include "core/Profile.h"

#include "core/Instructions.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace shoal::rt {

std::vector<ProfileRow> makeProfile(
    const program::View &program, const std::vector<const Timings *> &ranks,
    int64_t steps,
    const std::function<std::string(const program::Instruction &)> &name) {
  auto instructions =
      program.section<program::Instruction>(program::Section::Instructions);
  double share = 1.0 / (static_cast<double>(std::max<int64_t>(1, steps)) *
                        static_cast<double>(std::max<size_t>(1, ranks.size())));
  std::map<std::pair<std::string, std::string>, ProfileRow> rows;
  for (size_t i = 0; i < instructions.size(); ++i) {
    Timing all;
    for (const Timings *rank : ranks) {
      all.calls += (*rank)[i].calls;
      all.seconds += (*rank)[i].seconds;
      all.bytesSent += (*rank)[i].bytesSent;
    }
    if (!all.calls)
      continue;
    double calls = static_cast<double>(all.calls) * share;
    std::string what = name(instructions[i]);
    std::string where(program.str(instructions[i].loc));
    Work work = workOf(program, instructions[i]);
    ProfileRow &row = rows[{what, where}];
    row.what = what;
    row.where = where;
    row.calls += calls;
    row.seconds += all.seconds * share;
    row.bytesSent += all.bytesSent * share;
    row.bytes += work.bytes * calls;
    row.flops += work.flops * calls;
    row.type = work.type;
    row.product = work.product;
    row.reduces = work.reduces;
  }
  std::vector<ProfileRow> list;
  for (auto &[key, row] : rows)
    list.push_back(std::move(row));
  std::sort(list.begin(), list.end(),
            [](const ProfileRow &a, const ProfileRow &b) {
              return std::tie(b.seconds, a.what, a.where) <
                     std::tie(a.seconds, b.what, b.where);
            });
  return list;
}

} // namespace shoal::rt
