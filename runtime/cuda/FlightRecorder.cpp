#include "cuda/FlightRecorder.h"

namespace shoal::cuda {

FlightRecorder::~FlightRecorder() {
  for (Entry &e : ring)
    for (CUevent event : {e.before, e.after})
      if (event)
        driver.eventDestroy(event);
}

void FlightRecorder::record(CUevent &event, bool &isRecorded, CUstream stream) {
  isRecorded = false;
  if (!stream)
    return;
  if (!event &&
      driver.eventCreate(&event, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS)
    return;
  isRecorded = driver.eventRecord(event, stream) == CUDA_SUCCESS;
}

void FlightRecorder::begin(Flight flight, CUstream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  Entry &e = ring[count++ % capacity];
  e.flight = std::move(flight);
  e.flight.number = count;
  e.hasAfter = false;
  record(e.before, e.hasBefore, stream);
}

void FlightRecorder::end(CUstream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  Entry &e = ring[(count - 1) % capacity];
  record(e.after, e.hasAfter, stream);
}

std::vector<Flight> FlightRecorder::read(double now) {
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<Flight> flights;
  for (uint64_t i = count > capacity ? count - capacity : 0; i < count; ++i) {
    Entry &e = ring[i % capacity];
    Flight &f = e.flight;
    if (e.hasBefore && f.started < 0 &&
        driver.eventQuery(e.before) == CUDA_SUCCESS)
      f.started = now;
    if (e.hasAfter && f.completed < 0 &&
        driver.eventQuery(e.after) == CUDA_SUCCESS)
      f.completed = now;
    flights.push_back(f);
  }
  return flights;
}

} // namespace shoal::cuda
