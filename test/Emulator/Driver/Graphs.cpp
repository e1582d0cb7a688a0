// Capture of streams into graphs, and their launch: the nodes in the order in
// which they were issued.
#include "State.h"

using namespace shoal::standin;

extern "C" {

CUresult cuStreamBeginCapture_v2(CUstream handle, int mode) {
  Stream *stream = toStream(handle);
  if (CUresult error = checkStream(stream, "cuStreamBeginCapture"))
    return error;
  if (mode != CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
    return violation("a capture that is not local to its thread");
  std::lock_guard guard(state().lock);
  if (stream->capture)
    return violation("a stream is captured twice");
  stream->capture = std::make_shared<Capture>();
  stream->capture->origin = stream;
  stream->capture->streams.push_back(stream);
  stream->captureClock = Clock();
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph *result) {
  Stream *stream = toStream(handle);
  *result = nullptr;
  std::lock_guard guard(state().lock);
  std::shared_ptr<Capture> capture = stream->capture;
  if (!capture || capture->origin != stream)
    return violation("a capture ends on a stream that did not begin one");
  bool joined = true;
  for (Stream *other : capture->streams) {
    joined &=
        stream->captureClock.of(other->id) >= other->captureClock.of(other->id);
    other->capture = nullptr;
  }
  if (CUresult error = stream->device->error)
    return error;
  if (!joined) {
    violation("a capture ends before its other streams were joined");
    return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  }
  auto *graph = new Graph{stream->device, std::move(capture->nodes)};
  *result = reinterpret_cast<CUgraph>(graph);
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph,
                                     unsigned long long) {
  if (!graph)
    return CUDA_ERROR_INVALID_VALUE;
  *exec = reinterpret_cast<CUgraphExec>(
      new Graph(*reinterpret_cast<Graph *>(graph)));
  return CUDA_SUCCESS;
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream handle) {
  Stream *stream = toStream(handle);
  if (CUresult error = checkStream(stream, "cuGraphLaunch"))
    return error;
  auto *graph = reinterpret_cast<Graph *>(exec);
  auto work = std::make_shared<Work>();
  work->what = "a graph";
  for (const WorkPtr &node : graph->nodes)
    work->accesses.insert(work->accesses.end(), node->accesses.begin(),
                          node->accesses.end());
  work->run = [nodes = graph->nodes] {
    for (const WorkPtr &node : nodes)
      if (node->run)
        if (CUresult error = node->run())
          return error;
    return CUDA_SUCCESS;
  };
  return issue(stream, std::move(work));
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
  delete reinterpret_cast<Graph *>(exec);
  return CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
  delete reinterpret_cast<Graph *>(graph);
  return CUDA_SUCCESS;
}
}
