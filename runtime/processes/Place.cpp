// Which process this is, from the launcher's environment variables.
#include "shoal/runtime/World.h"

#include <cstdlib>
#include <unistd.h>

namespace shoal::rt {

static std::string get(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

namespace {
/// The variables of one launcher. `job` may be empty: then the parent process
/// (the launcher itself) tells runs on one machine apart.
struct Launcher {
  const char *rank, *size, *localSize, *job;
};
} // namespace

/// The first machine of a list as Slurm writes it.
static std::string firstHost(std::string_view list) {
  // "gpu[03-07,9],login": of each bracket the first number, up to the comma
  // outside of brackets.
  std::string host;
  bool inside = false, first = true;
  for (char c : list) {
    if (c == '[')
      inside = first = true;
    else if (c == ']')
      inside = false;
    else if (!inside && c == ',')
      break;
    else if (!inside)
      host += c;
    else if (c == ',' || c == '-')
      first = false;
    else if (first)
      host += c;
  }
  return host;
}

/// A port for the processes of a job, the same in all of them.
static int portOf(const std::string &job) {
  uint32_t hash = 2166136261u;
  for (char c : job)
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return 20000 + static_cast<int>(hash % 12000);
}

Result<ProcessPlace> findPlace() {
  static const Launcher launchers[] = {
      {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
       "OMPI_COMM_WORLD_LOCAL_SIZE", "PMIX_NAMESPACE"},
      {"PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", "PMI_JOBID"},
      {"RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID"},
      {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE",
       "SLURM_JOB_ID"},
  };
  for (const Launcher &l : launchers) {
    std::string rank = get(l.rank), size = get(l.size);
    bool isSlurm = std::string_view(l.rank) == "SLURM_PROCID";
    std::string step = isSlurm ? get("SLURM_STEP_ID") : "";
    // A batch script has a number too, but is no step of several processes.
    if (isSlurm && size.empty() && !step.empty())
      size = get("SLURM_NTASKS");
    if (rank.empty() || size.empty())
      continue;
    ProcessPlace place;
    char *rankEnd, *sizeEnd;
    place.rank = static_cast<int>(std::strtol(rank.c_str(), &rankEnd, 10));
    place.size = static_cast<int>(std::strtol(size.c_str(), &sizeEnd, 10));
    if (*rankEnd || *sizeEnd || place.size < 1 || place.rank < 0 ||
        place.rank >= place.size)
      return Status::badInput(std::string("the environment has ") + l.rank +
                              "=" + rank + " and " + l.size + "=" + size +
                              ", which is no place among processes");
    if (place.size == 1)
      return place;
    std::string host = get("MASTER_ADDR"), port = get("MASTER_PORT");
    std::string local = get(l.localSize);
    bool isSpread = !local.empty() && std::atoi(local.c_str()) < place.size;
    place.job = get(l.job);
    // Several steps of a job may run side by side.
    if (!place.job.empty() && !step.empty())
      place.job += "." + step;
    if (isSlurm && isSpread && host.empty()) {
      // Process 0 is on the first of the step's machines.
      std::string list = get("SLURM_STEP_NODELIST");
      host = firstHost(list.empty() ? get("SLURM_JOB_NODELIST") : list);
      if (!host.empty() && port.empty())
        port = std::to_string(portOf(place.job));
    }
    if (!host.empty() && !port.empty()) {
      place.address = host + ":" + port;
    } else if (isSpread) {
      return Status::badInput(
          "the " + size +
          " processes of this run are on several machines; "
          "set MASTER_ADDR and MASTER_PORT to where process 0 can be reached "
          "(mpirun -x MASTER_ADDR=… -x MASTER_PORT=…)");
    }
    if (place.job.empty() && place.address.empty())
      place.job = std::to_string(::getppid());
    for (char &c : place.job)
      if (c == '/')
        c = '_';
    return place;
  }
  return ProcessPlace();
}

} // namespace shoal::rt
