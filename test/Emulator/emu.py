"""Runs LLVM IR made for NVPTX in the emulator, for the tests in this folder.

  k = Kernel(ll_text)            # compiles with emulate-tool
  k.run("name", [array, 3, ...], grid=(1,), block=(32,), shared=0)

Arrays (numpy, changed in place) are pointers, Python ints i32 (I64 for i64),
floats f32. A failure of the emulator raises EmulatorError with its message.
"""
import ctypes
import os
import subprocess
import sys
import tempfile

import numpy as np

BUILD = os.environ.get("SHOAL_BUILD") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "build")
TOOLS = os.path.join(BUILD, "test", "Emulator")

HEADER = """target datalayout = "e-i64:64-i128:128-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
@shoal_smem = external addrspace(3) global [0 x i8], align 1024
"""


class I64(int):
    pass


class EmulatorError(Exception):
    pass


class Launch(ctypes.Structure):
    _fields_ = [("grid", ctypes.c_uint32 * 3), ("block", ctypes.c_uint32 * 3),
                ("cluster", ctypes.c_uint32 * 3), ("shared", ctypes.c_uint32),
                ("kernel", ctypes.c_char_p), ("params", ctypes.c_void_p),
                ("seed", ctypes.c_uint64), ("error", ctypes.c_char_p),
                ("error_bytes", ctypes.c_uint32), ("failed", ctypes.c_uint32)]


emulator = ctypes.CDLL(os.path.join(TOOLS, "libshoal-emulator.so"),
                       mode=ctypes.RTLD_GLOBAL)
emulator.shoal_emu_add_memory.argtypes = [ctypes.c_void_p, ctypes.c_uint64,
                                          ctypes.c_char_p]
emulator.shoal_emu_remove_memory.argtypes = [ctypes.c_void_p]


def launch(library, name, params, grid, block, shared, seed=0):
    """Launches an image's kernel; `params`: ctypes objects of its arguments."""
    pointers = (ctypes.c_void_p * (len(params) + 1))(
        *[ctypes.addressof(p) for p in params])
    error = ctypes.create_string_buffer(2048)
    three = lambda t: (ctypes.c_uint32 * 3)(*(tuple(t) + (1, 1, 1))[:3])
    try:
        described = ctypes.addressof(ctypes.c_char.in_dll(library,
                                                          name + "_params"))
    except ValueError:
        described = None
    what = Launch(three(grid), three(block), three((1,)), shared,
                  name.encode(), described, seed,
                  ctypes.cast(error, ctypes.c_char_p), len(error), 0)
    function = getattr(library, name)
    function.restype = None
    sys.stderr.flush()
    function(pointers, ctypes.byref(what))
    if what.failed:
        raise EmulatorError(error.value.decode())


def quiet(function):
    """Without what the emulator prints of expected errors."""
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        return function()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


class Kernel:
    def __init__(self, text, options=()):
        if "target triple" not in text:
            text = HEADER + text
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, "kernel.ll")
            image = os.path.join(directory, "kernel.so")
            with open(source, "w") as f:
                f.write(text)
            result = subprocess.run(
                [os.path.join(TOOLS, "emulate-tool"), source, image, *options],
                capture_output=True, text=True)
            if result.returncode:
                raise EmulatorError(result.stderr)
            self.library = ctypes.CDLL(image)

    def run(self, name, arguments, grid=(1,), block=(32,), shared=0, seed=0):
        params, arrays = [], []
        for a in arguments:
            if isinstance(a, np.ndarray):
                assert a.flags.c_contiguous
                emulator.shoal_emu_add_memory(a.ctypes.data, a.nbytes, b"array")
                arrays.append(a)
                params.append(ctypes.c_void_p(a.ctypes.data))
            elif isinstance(a, I64):
                params.append(ctypes.c_int64(a))
            elif isinstance(a, int):
                params.append(ctypes.c_int32(a))
            else:
                params.append(ctypes.c_float(a))
        try:
            launch(self.library, name, params, grid, block, shared, seed)
        finally:
            for a in arrays:
                emulator.shoal_emu_remove_memory(a.ctypes.data)

    def expect_error(self, part, *arguments, **options):
        try:
            quiet(lambda: self.run(*arguments, **options))
        except EmulatorError as e:
            assert part in str(e), f"expected '{part}' in: {e}"
            return
        raise AssertionError(f"expected an error with '{part}'")


def aligned(shape, dtype, fill=None):
    """An array at a multiple of 256 bytes, as device memory is."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    raw = np.full(count * dtype.itemsize + 256, 0xcd, np.uint8)
    at = -raw.ctypes.data % 256
    array = raw[at:at + count * dtype.itemsize].view(dtype).reshape(shape)
    if fill is not None:
        array[...] = fill
    return array
