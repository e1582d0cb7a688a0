// Streams, each a thread with a queue; events; what is ordered after what.
#include "State.h"

#include <chrono>

using namespace shoal::standin;

/// Now and then a stream is held up, so that work of others overtakes it.
static void dawdle(Stream &stream) {
  uint64_t seed = state().seed;
  if (!seed)
    return;
  uint64_t chance = stream.random() % 64;
  if (chance < 16)
    std::this_thread::sleep_for(
        std::chrono::microseconds(stream.random() % (chance ? 100 : 3000)));
}

static void runStream(Stream *stream) {
  std::unique_lock guard(stream->lock);
  while (true) {
    stream->changed.wait(
        guard, [&] { return stream->ending || !stream->queue.empty(); });
    if (stream->queue.empty())
      return;
    WorkPtr work = std::move(stream->queue.front());
    stream->queue.pop_front();
    stream->busy = true;
    guard.unlock();
    if (work->run && !stream->device->error) {
      dawdle(*stream);
      if (CUresult error = work->run()) {
        CUresult none = 0;
        stream->device->error.compare_exchange_strong(none, error);
      }
    }
    work->done = true;
    work->done.notify_all();
    work.reset();
    guard.lock();
    stream->busy = false;
    stream->changed.notify_all();
  }
}

CUresult shoal::standin::checkStream(Stream *stream, const char *what) {
  if (!stream)
    return violation("%s on the null stream", what);
  if (CUresult error = stream->device->error)
    return error;
  if (current() != stream->device)
    return violation("%s on a stream of device %d, while %s is current", what,
                     stream->device->ordinal,
                     current() ? "another device" : "no device");
  return CUDA_SUCCESS;
}

static void push(Stream *stream, WorkPtr work) {
  std::lock_guard guard(stream->lock);
  stream->queue.push_back(std::move(work));
  stream->changed.notify_all();
}

CUresult shoal::standin::issue(Stream *stream, WorkPtr work) {
  State &s = state();
  std::lock_guard guard(s.lock);
  if (Capture *capture = stream->capture.get()) {
    stream->captureClock.tick(stream->id);
    capture->history.add(stream->id, stream->captureClock, work);
    capture->nodes.push_back(std::move(work));
    return stream->device->error;
  }
  stream->clock.join(s.host);
  stream->clock.tick(stream->id);
  s.history.add(stream->id, stream->clock, work);
  push(stream, std::move(work));
  return stream->device->error;
}

void shoal::standin::waitForStream(Stream *stream) {
  std::unique_lock guard(stream->lock);
  stream->changed.wait(guard,
                       [&] { return stream->queue.empty() && !stream->busy; });
}

/// The host has seen this much.
static void seen(const Clock &clock) {
  std::lock_guard guard(state().lock);
  state().host.join(clock);
}

static bool isCapturing(Stream *stream) {
  std::lock_guard guard(state().lock);
  return stream->capture != nullptr;
}

extern "C" {

CUresult cuStreamCreate(CUstream *result, unsigned flags) {
  Device *device = current();
  if (!device)
    return CUDA_ERROR_INVALID_CONTEXT;
  if (device->error)
    return device->error;
  if (flags != CU_STREAM_NON_BLOCKING)
    return violation("a stream that waits for the null stream");
  auto *stream = new Stream;
  stream->device = device;
  {
    std::lock_guard guard(state().lock);
    stream->id = state().streams++;
  }
  stream->random.seed(state().seed * 1000003 + stream->id);
  stream->worker = std::thread(runStream, stream);
  *result = reinterpret_cast<CUstream>(stream);
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream handle) {
  Stream *stream = toStream(handle);
  if (!stream)
    return CUDA_ERROR_INVALID_HANDLE;
  if (isCapturing(stream))
    return violation("a stream is destroyed while it is captured");
  {
    std::lock_guard guard(stream->lock);
    stream->ending = true;
    stream->changed.notify_all();
  }
  stream->worker.join();
  delete stream;
  return CUDA_SUCCESS;
}

CUresult cuStreamQuery(CUstream handle) {
  Stream *stream = toStream(handle);
  if (CUresult error = checkStream(stream, "cuStreamQuery"))
    return error;
  if (isCapturing(stream))
    return violation("cuStreamQuery of a stream that is captured");
  Clock clock;
  {
    std::lock_guard guard(state().lock);
    clock = stream->clock;
  }
  {
    std::lock_guard guard(stream->lock);
    if (!stream->queue.empty() || stream->busy)
      return stream->device->error ? stream->device->error.load()
                                   : CUDA_ERROR_NOT_READY;
  }
  seen(clock);
  return stream->device->error;
}

CUresult cuStreamSynchronize(CUstream handle) {
  Stream *stream = toStream(handle);
  if (CUresult error = checkStream(stream, "cuStreamSynchronize"))
    return error;
  if (isCapturing(stream))
    return violation("cuStreamSynchronize of a stream that is captured");
  Clock clock;
  {
    std::lock_guard guard(state().lock);
    clock = stream->clock;
  }
  waitForStream(stream);
  seen(clock);
  return stream->device->error;
}

CUresult cuEventCreate(CUevent *result, unsigned) {
  if (!current())
    return CUDA_ERROR_INVALID_CONTEXT;
  *result = reinterpret_cast<CUevent>(new Event{current(), nullptr});
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy_v2(CUevent event) {
  delete toEvent(event);
  return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent handle, CUstream streamHandle) {
  Stream *stream = toStream(streamHandle);
  Event *event = toEvent(handle);
  if (CUresult error = checkStream(stream, "cuEventRecord"))
    return error;
  if (event->device != stream->device)
    return violation("an event of device %d is recorded on a stream of %d",
                     event->device->ordinal, stream->device->ordinal);
  auto record = std::make_shared<Record>();
  record->work = std::make_shared<Work>();
  record->work->what = "an event";
  std::lock_guard guard(state().lock);
  if (stream->capture) {
    record->capture = stream->capture;
    record->clock = stream->captureClock;
  } else {
    stream->clock.join(state().host);
    record->clock = stream->clock;
    push(stream, record->work);
  }
  event->last = std::move(record);
  return CUDA_SUCCESS;
}

CUresult cuEventQuery(CUevent handle) {
  Event *event = toEvent(handle);
  if (CUresult error = event->device->error)
    return error;
  std::shared_ptr<Record> record;
  {
    std::lock_guard guard(state().lock);
    record = event->last;
  }
  if (!record)
    return CUDA_SUCCESS;
  if (record->capture)
    return violation("cuEventQuery of an event that was captured");
  if (!record->work->done)
    return CUDA_ERROR_NOT_READY;
  seen(record->clock);
  return event->device->error;
}

CUresult cuEventSynchronize(CUevent handle) {
  Event *event = toEvent(handle);
  std::shared_ptr<Record> record;
  {
    std::lock_guard guard(state().lock);
    record = event->last;
  }
  if (!record)
    return CUDA_SUCCESS;
  if (record->capture)
    return violation("cuEventSynchronize of an event that was captured");
  record->work->done.wait(false);
  seen(record->clock);
  return event->device->error;
}

CUresult cuStreamWaitEvent(CUstream streamHandle, CUevent handle, unsigned) {
  Stream *stream = toStream(streamHandle);
  Event *event = toEvent(handle);
  if (CUresult error = checkStream(stream, "cuStreamWaitEvent"))
    return error;
  std::lock_guard guard(state().lock);
  std::shared_ptr<Record> record = event->last;
  if (!record)
    return violation("a stream waits for an event that was never recorded");
  if (record->capture) {
    if (!stream->capture) {
      stream->capture = record->capture;
      stream->captureClock = Clock();
      record->capture->streams.push_back(stream);
    }
    if (stream->capture != record->capture)
      return violation("a stream waits for an event of another capture");
    stream->captureClock.join(record->clock);
    return CUDA_SUCCESS;
  }
  if (stream->capture)
    return violation("a captured stream waits for an event from outside the "
                     "capture");
  stream->clock.join(record->clock);
  auto wait = std::make_shared<Work>();
  wait->what = "a wait";
  wait->run = [work = record->work] {
    work->done.wait(false);
    return CUDA_SUCCESS;
  };
  push(stream, std::move(wait));
  return CUDA_SUCCESS;
}

int shoal_standin_issue(void *stream, WorkPtr *work) {
  return issue(static_cast<Stream *>(stream), std::move(*work));
}
}
