// What the flight recorders of all ranks say when a run hangs: which collective
// does not end, who is missing, and all of it as JSON.
#include "core/Instructions.h"
#include "cuda/Execution.h"

#include "shoal/runtime/AtomicFile.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace shoal::cuda {

using nlohmann::json;

std::string Execution::flightReport() {
  double time = now();
  json file = {{"process", process()}, {"seconds", time}};
  json &list = file["ranks"] = json::array();
  // Per instance of a group: how many collectives each of its ranks here has
  // issued, and the first that is not done.
  struct Instance {
    std::map<int64_t, uint64_t> issued;
    const Flight *open = nullptr;
    Flight copy;
  };
  std::map<std::pair<uint32_t, int64_t>, Instance> instances;
  for (auto &rank : ranks) {
    json entry = {{"rank", rank->number},
                  {"device", rank->device.ordinal},
                  {"state", rank->dead      ? "dead"
                            : rank->waiting ? "waiting"
                                            : "running"},
                  {"at", rank->whereabouts()}};
    json &flights = entry["collectives"] = json::array();
    for (uint32_t g = 0; g < groups.size(); ++g)
      if (program.position(groups[g], rank->number) >= 0 &&
          groups[g].groupSize > 1 && g < rank->sequence.size())
        instances[{g, program.member(groups[g], rank->number, 0)}]
            .issued[rank->number] = rank->sequence[g];
    for (const Flight &f : rank->flights.read(time)) {
      flights.push_back(
          {{"number", f.number},
           {"group", program.str(groups[f.group].name)},
           {"sequence", f.sequence},
           {"what", f.what},
           {"location", program.str(f.instruction->loc)},
           {"issued", f.issued},
           {"started", f.started < 0 ? json() : json(f.started)},
           {"completed", f.completed < 0 ? json() : json(f.completed)}});
      Instance &i = instances[{
          f.group, program.member(groups[f.group], rank->number, 0)}];
      if (f.completed < 0 && (!i.open || f.sequence < i.open->sequence)) {
        i.copy = f;
        i.open = &i.copy;
      }
    }
    list.push_back(std::move(entry));
  }
  std::string text;
  for (auto &[key, i] : instances) {
    if (!i.open || !text.empty())
      continue;
    // In this step, who has not come to it.
    std::string missing;
    for (auto &[rank, count] : i.issued)
      if (count <= i.open->sequence)
        missing += (missing.empty() ? "" : ", ") + std::to_string(rank);
    if (missing.empty())
      continue;
    text = "; collective number " + std::to_string(i.open->sequence) +
           " over " + rt::groupName(program, i.open->group) + ", " +
           i.open->what + rt::locationOf(program, *i.open->instruction) +
           ", misses ranks " + missing;
    file["hangs"] = {{"group", program.str(groups[i.open->group].name)},
                     {"sequence", i.open->sequence},
                     {"what", i.open->what},
                     {"location", program.str(i.open->instruction->loc)},
                     {"missing", missing}};
  }
  std::string path = cuda.flightRecorder;
  if (path.empty()) {
    const char *directory = std::getenv("TMPDIR");
    path = std::string(directory && *directory ? directory : "/tmp") +
           "/shoal-flight-" + std::to_string(::getpid()) + ".json";
  } else if (options.world) {
    path += "." + std::to_string(process());
  }
  rt::Result<rt::AtomicFile> out = rt::AtomicFile::open(path);
  if (out && out->write(file.dump(1) + "\n") && out->commit())
    text += "; the flight recorder is in '" + path + "'";
  return text;
}

} // namespace shoal::cuda
