"""The stand-ins for the CUDA driver and NCCL: what they compute, and that they
notice misuse. Each case runs in its own process, as a misuse spoils all."""
import ctypes
import os
import subprocess
import sys
import tempfile
import threading

import numpy as np

from emu import HEADER, TOOLS

KERNEL = """
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
define ptx_kernel void @add(ptr addrspace(1) readonly dereferenceable(4096) %in,
    ptr addrspace(1) dereferenceable(4096) %out, float %c) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %b2 = mul i32 %b, 128
  %i = add i32 %t, %b2
  %p = getelementptr float, ptr addrspace(1) %in, i32 %i
  %x = load float, ptr addrspace(1) %p
  %y = fadd float %x, %c
  %q = getelementptr float, ptr addrspace(1) %out, i32 %i
  store float %y, ptr addrspace(1) %q
  ret void
}
"""
P, U, Z = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t


class Gpu:
    """One device and what a test needs of it."""

    def __init__(self, cuda, ordinal=0):
        self.cuda = cuda
        self.context = P()
        self.check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(self.context), ordinal))
        self.enter()

    def enter(self):
        self.check(self.cuda.cuCtxSetCurrent(self.context))

    def check(self, error):
        if error:
            raise RuntimeError(f"CUDA error {error}")

    def make(self, function, *arguments):
        handle = P()
        self.check(getattr(self.cuda, function)(ctypes.byref(handle), *arguments))
        return handle

    def stream(self):
        return self.make("cuStreamCreate", 1)

    def event(self):
        return self.make("cuEventCreate", 2)

    def memory(self, nbytes):
        return self.make("cuMemAlloc_v2", Z(nbytes))

    def pinned(self, count, dtype=np.float32):
        dtype = np.dtype(dtype)
        p = self.make("cuMemHostAlloc", Z(count * dtype.itemsize), 1)
        raw = (ctypes.c_uint8 * (count * dtype.itemsize)).from_address(p.value)
        return np.frombuffer(raw, dtype)

    def put(self, to, array, stream):
        self.check(self.cuda.cuMemcpyHtoDAsync_v2(to, P(array.ctypes.data), Z(array.nbytes), stream))

    def fetch(self, array, at, stream):
        self.check(self.cuda.cuMemcpyDtoHAsync_v2(P(array.ctypes.data), at, Z(array.nbytes), stream))

    def wait(self, stream):
        self.check(self.cuda.cuStreamSynchronize(stream))

    def function(self):
        with tempfile.TemporaryDirectory() as directory:
            source, image = directory + "/k.ll", directory + "/k.so"
            open(source, "w").write(HEADER + KERNEL)
            subprocess.run([TOOLS + "/emulate-tool", source, image], check=True)
            data = open(image, "rb").read()
        module = self.make("cuModuleLoadDataEx", data, 0, None, None)
        return self.make("cuModuleGetFunction", module, b"add")

    def add(self, function, a, b, c, stream, blocks=8):
        arguments = [P(a.value), P(b.value), ctypes.c_float(c)]
        pointers = (P * 3)(*[ctypes.addressof(x) for x in arguments])
        self.check(self.cuda.cuLaunchKernel(function, blocks, 1, 1, 128, 1, 1,
                                            0, stream, pointers, None))


def start():
    cuda = ctypes.CDLL(TOOLS + "/libcuda.so.1")
    for name in ("cuMemFree_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2",
                 "cuStreamSynchronize", "cuStreamDestroy_v2", "cuEventRecord",
                 "cuStreamWaitEvent", "cuCtxSetCurrent", "cuGraphLaunch"):
        getattr(cuda, name).argtypes = {
            "cuMemFree_v2": [P], "cuMemcpyHtoDAsync_v2": [P, P, Z, P],
            "cuMemcpyDtoHAsync_v2": [P, P, Z, P], "cuStreamSynchronize": [P],
            "cuStreamDestroy_v2": [P], "cuEventRecord": [P, P],
            "cuStreamWaitEvent": [P, P, U], "cuCtxSetCurrent": [P],
            "cuGraphLaunch": [P, P]}[name]
    assert cuda.cuInit(0) == 0
    return cuda


def setUp():
    gpu = Gpu(start())
    x = gpu.pinned(1024)
    y = gpu.pinned(1024)
    x[:] = np.arange(1024)
    return gpu, x, y, gpu.memory(4096), gpu.memory(4096), gpu.function()


def kernels():
    gpu, x, y, a, b, f = setUp()
    s, t, e = gpu.stream(), gpu.stream(), gpu.event()
    gpu.put(a, x, s)
    gpu.add(f, a, b, 1.0, s)
    gpu.check(gpu.cuda.cuEventRecord(e, s))
    gpu.check(gpu.cuda.cuStreamWaitEvent(t, e, 0))
    gpu.add(f, b, a, 2.0, t)
    gpu.fetch(y, a, t)
    gpu.wait(t)
    assert np.array_equal(y, x + 3)
    for handle in (s, t):
        gpu.check(gpu.cuda.cuStreamDestroy_v2(handle))
    for p in (a, b):
        gpu.check(gpu.cuda.cuMemFree_v2(p))


def graphs():
    gpu, x, y, a, b, f = setUp()
    s, t, e, e2 = gpu.stream(), gpu.stream(), gpu.event(), gpu.event()
    gpu.put(a, x, s)
    gpu.wait(s)
    gpu.check(gpu.cuda.cuStreamBeginCapture_v2(s, 1))
    gpu.check(gpu.cuda.cuEventRecord(e, s))
    gpu.check(gpu.cuda.cuStreamWaitEvent(t, e, 0))
    gpu.add(f, a, b, 1.0, t)
    gpu.add(f, b, a, 1.0, t)
    gpu.check(gpu.cuda.cuEventRecord(e2, t))
    gpu.check(gpu.cuda.cuStreamWaitEvent(s, e2, 0))
    graph = P()
    gpu.check(gpu.cuda.cuStreamEndCapture(s, ctypes.byref(graph)))
    run = gpu.make("cuGraphInstantiateWithFlags", graph, ctypes.c_ulonglong(0))
    for _ in range(5):
        gpu.check(gpu.cuda.cuGraphLaunch(run, s))
    gpu.fetch(y, a, s)
    gpu.wait(s)
    assert np.array_equal(y, x + 10)


def race():
    gpu, x, y, a, b, f = setUp()
    s, t = gpu.stream(), gpu.stream()
    gpu.put(a, x, s)
    gpu.add(f, a, b, 1.0, t)


def outside():
    gpu, x, y, a, b, f = setUp()
    s = gpu.stream()
    gpu.put(a, x, s)
    gpu.add(f, a, P(b.value + 4), 1.0, s)


def overrun():
    gpu, x, y, a, b, f = setUp()
    s = gpu.stream()
    gpu.put(a, x, s)
    gpu.add(f, a, b, 1.0, s, blocks=9)
    gpu.wait(s)


def freed():
    gpu, x, y, a, b, f = setUp()
    s = gpu.stream()
    for _ in range(50):
        gpu.add(f, a, b, 1.0, s)
    gpu.check(gpu.cuda.cuMemFree_v2(b))


def unpinned():
    gpu, x, y, a, b, f = setUp()
    gpu.put(a, np.zeros(16, np.float32), gpu.stream())


def unjoined():
    gpu, x, y, a, b, f = setUp()
    s, t, e = gpu.stream(), gpu.stream(), gpu.event()
    gpu.check(gpu.cuda.cuStreamBeginCapture_v2(s, 1))
    gpu.check(gpu.cuda.cuEventRecord(e, s))
    gpu.check(gpu.cuda.cuStreamWaitEvent(t, e, 0))
    gpu.add(f, a, b, 1.0, t)
    graph = P()
    gpu.check(gpu.cuda.cuStreamEndCapture(s, ctypes.byref(graph)))


class UniqueId(ctypes.Structure):
    _fields_ = [("internal", ctypes.c_char * 128)]


class Config(ctypes.Structure):
    _fields_ = [("size", Z), ("magic", U), ("version", U), ("blocking", ctypes.c_int),
                ("cga", ctypes.c_int), ("low", ctypes.c_int), ("high", ctypes.c_int),
                ("net", ctypes.c_char_p), ("share", ctypes.c_int)]


def ranks(work, count=4):
    """work(rank, gpu, nccl, comm, settle) in a thread for each rank."""
    cuda = start()
    nccl = ctypes.CDLL(TOOLS + "/libnccl.so.2")
    for name in ("ncclAllReduce", "ncclReduceScatter"):
        getattr(nccl, name).argtypes = [P, P, Z, U, U, P, P]
    nccl.ncclAllGather.argtypes = [P, P, Z, U, P, P]
    nccl.ncclBroadcast.argtypes = [P, P, Z, U, U, P, P]
    nccl.ncclSend.argtypes = nccl.ncclRecv.argtypes = [P, Z, U, U, P, P]
    nccl.ncclCommGetAsyncError.argtypes = [P, P]
    nccl.ncclCommSplit.argtypes = [P, ctypes.c_int, ctypes.c_int, P, P]
    identity = UniqueId()
    assert nccl.ncclGetUniqueId(ctypes.byref(identity)) == 0
    errors = []

    def settle(comm, result):
        state = ctypes.c_int(result)
        while state.value == 7:
            nccl.ncclCommGetAsyncError(comm, ctypes.byref(state))
        assert state.value == 0, state.value

    def one(rank):
        try:
            gpu = Gpu(cuda, rank)
            comm = P()
            config = Config(48, 0xcafebeef, 21800, 0, -2**31, -2**31, -2**31, None, 1)
            settle(comm, nccl.ncclCommInitRankConfig(
                ctypes.byref(comm), count, identity, rank, ctypes.byref(config)))
            work(rank, gpu, nccl, comm, settle, config)
        except Exception as e:
            errors.append(f"rank {rank}: {e!r}")
    threads = [threading.Thread(target=one, args=(r,)) for r in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors


def collectives():
    def work(rank, gpu, nccl, comm, settle, config):
        x, y = gpu.pinned(64), gpu.pinned(64)
        x[:] = np.arange(64) * (rank + 1)
        a, b, s = gpu.memory(256), gpu.memory(256), gpu.stream()
        gpu.put(a, x, s)
        settle(comm, nccl.ncclAllReduce(a, b, 64, 7, 0, comm, s))
        gpu.fetch(y, b, s)
        gpu.wait(s)
        assert np.array_equal(y, np.arange(64) * 10)
        settle(comm, nccl.ncclReduceScatter(a, b, 16, 7, 2, comm, s))
        settle(comm, nccl.ncclAllGather(b, a, 16, 7, comm, s))
        gpu.fetch(y, a, s)
        gpu.wait(s)
        assert np.array_equal(y, np.arange(64) * 4)
        settle(comm, nccl.ncclBroadcast(a, a, 64, 7, 3, comm, s))
        # Pairs by split, then a ring of sends and receives.
        half = P()
        settle(comm, nccl.ncclCommSplit(comm, rank // 2, -rank, ctypes.byref(half),
                                        ctypes.byref(config)))
        gpu.put(a, x, s)
        settle(half, nccl.ncclAllReduce(a, b, 64, 7, 0, half, s))
        gpu.fetch(y, b, s)
        gpu.wait(s)
        assert np.array_equal(y, np.arange(64) * (3 if rank < 2 else 7))
        nccl.ncclGroupStart()
        assert nccl.ncclSend(a, 64, 7, (rank + 1) % 4, comm, s) == 0
        assert nccl.ncclRecv(b, 64, 7, (rank + 3) % 4, comm, s) == 0
        settle(comm, nccl.ncclGroupEnd())
        gpu.fetch(y, b, s)
        gpu.wait(s)
        assert np.array_equal(y, np.arange(64) * ((rank + 3) % 4 + 1))
    ranks(work)


def mismatch():
    def work(rank, gpu, nccl, comm, settle, config):
        a, b, s = gpu.memory(256), gpu.memory(256), gpu.stream()
        settle(comm, nccl.ncclAllReduce(a, b, 64 - rank // 3, 7, 0, comm, s))
        gpu.wait(s)
    ranks(work)


CASES = {"kernels": None, "graphs": None, "collectives": None,
         "race": "no event orders the two", "outside": "in no allocation",
         "overrun": "in none of the kernel's buffers", "freed": "is freed while",
         "unpinned": "not in pinned host memory", "unjoined": "streams were joined",
         "mismatch": "rank 3 calls ncclAllReduce(63"}

if len(sys.argv) > 1:
    globals()[sys.argv[1]]()
    sys.exit()
for case, message in CASES.items():
    for seed in ("0", "5"):
        result = subprocess.run([sys.executable, __file__, case], text=True,
                                capture_output=True, timeout=120,
                                env=os.environ | {"SHOAL_TEST_CUDA_SEED": seed})
        if message is None:
            assert result.returncode == 0, (case, result.stderr)
        else:
            assert message in result.stderr, (case, result.stderr)
print("standin: ok")
