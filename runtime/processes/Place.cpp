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
    if (!host.empty() && !port.empty()) {
      place.address = host + ":" + port;
    } else if (std::string local = get(l.localSize);
               !local.empty() && std::atoi(local.c_str()) < place.size) {
      return Status::badInput(
          "the " + size +
          " processes of this run are on several machines; "
          "set MASTER_ADDR and MASTER_PORT to where process 0 can be reached "
          "(mpirun -x MASTER_ADDR=… -x MASTER_PORT=…)");
    }
    place.job = get(l.job);
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
