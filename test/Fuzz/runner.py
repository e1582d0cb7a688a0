"""Compiles and runs programs through shoal-run-server, a process that lasts.

Without that tool (another build's shoal-run was given), or where it is not
wanted, by shoal-run itself.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np


class Runner:
    """One at a time; every thread has its own."""

    def __init__(self, shoal_run, limit=60, serves=True):
        self.shoal_run, self.limit, self.process = str(shoal_run), limit, None
        self.server = str(Path(shoal_run).parent / "shoal-run-server")
        self.serves = serves and os.path.exists(self.server)
        self.env = {"SHOAL_CACHE_DIR": ""}

    def ask(self, *words):
        if self.process is None:
            self.process = subprocess.Popen([self.server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.process = None
            raise RuntimeError("shoal-run-server died")
        return int(answer)

    def run(self, path, npz, out, *flags, env={}, check=None, options=()):
        """None where it ran (and agreed with `check`), else what went wrong.

        `options` are the compiler's (RunServer.cpp), `flags` shoal-run's."""
        single, env = "--single-device" in flags, self.env | env
        files = [f"--input={npz}"] + ([f"--output={out}"] if out else []) + ([f"--check={check}"] if check else [])
        if not self.serves:
            try:
                p = subprocess.run([self.shoal_run, path, *files, *flags], capture_output=True, text=True, timeout=self.limit, env=dict(os.environ, **env))
            except subprocess.TimeoutExpired:
                return f"timed out after {self.limit} s"
            return None if p.returncode == 0 else f"exit {p.returncode}: {(p.stderr + p.stdout).strip()[:600]}"
        flags = [f for f in flags if f != "--single-device"]
        log, binary = f"{path}.log", f"{path}.so"
        code = self.ask(self.limit, log, path, binary, "single" if single else "ranks", *[f"{k}={v}" for k, v in env.items()], *options, "--",
                        self.shoal_run, binary, *files, *flags)
        return self.trouble(code, log)

    def stablehlo(self, path, to, env={}):
        """Prints the partitioned module as plain StableHLO to the file `to`."""
        log = f"{path}.log"
        return self.trouble(self.ask(self.limit, log, path, to, "stablehlo", *[f"{k}={v}" for k, v in env.items()], "--"), log)

    def trouble(self, code, log):
        if code == 0:
            return None
        if code == -signal.SIGALRM:
            return f"timed out after {self.limit} s"
        lines = [line for line in Path(log).read_text(errors="replace").splitlines() if "remark:" not in line]
        return f"exit {code}: {' '.join(lines).strip()[:600]}"


def check_seeds(args, make_checker, check, report_every):
    """Checks each seed of args.seeds ("A:B") in args.jobs threads with a checker of its own each, and prints what is
    wrong; returns how many seeds there are, how many fail, and the checkers. check(checker, seed): what is wrong, or None."""
    lo, hi = map(int, args.seeds.split(":"))
    failed, start, own, checkers = 0, time.time(), threading.local(), []

    def one(seed):
        if not hasattr(own, "checker"):
            own.checker = make_checker(args)
            checkers.append(own.checker)
        try:
            return check(own.checker, seed)
        except Exception:  # noqa: BLE001: one program less, the others go on
            return f"the fuzzer fails: {traceback.format_exc()}"
    with ThreadPoolExecutor(args.jobs) as pool:
        for seed, problem in zip(range(lo, hi), pool.map(one, range(lo, hi))):
            if problem:
                failed += 1
                print(f"seed {seed}: {problem}", flush=True)
            if seed % report_every == report_every - 1:
                print(f"  {seed + 1 - lo} programs in {time.time() - start:.0f} s, {failed} failed", file=sys.stderr, flush=True)
    return hi - lo, failed, checkers


class KnownResults:
    """Checks programs of which it is known what they give: program(seed) makes the text, arguments and results of one."""

    def __init__(self, args, program):
        self.args, self.program = args, program
        # (Sizes that a program leaves open are read from the arguments by shoal-run.)
        self.runner = Runner(args.shoal_run, serves=False)

    def check(self, seed):
        text, arguments, results = self.program(seed)
        with tempfile.TemporaryDirectory() as folder:
            path, inputs, outputs = f"{folder}/{seed}.mlir", f"{folder}/in.npz", f"{folder}/out.npz"
            Path(path).write_text(text)
            np.savez(inputs, **{f"arg{i}": v for i, v in enumerate(arguments)})
            np.savez(outputs, **{f"out{i}": v for i, v in enumerate(results)})
            problem = self.runner.run(path, inputs, None, check=outputs)
        if problem and self.args.keep:
            os.makedirs(self.args.keep, exist_ok=True)
            Path(self.args.keep, f"{seed}.mlir").write_text(text)
        return problem


def check_known_results(description, program):
    """The main function of a fuzzer that makes such programs; whether any failed."""
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--shoal-run", required=True)
    p.add_argument("--seeds", default="0:100", help="range A:B of seeds")
    p.add_argument("--keep", help="folder for failing programs")
    p.add_argument("--jobs", type=int, default=1)
    count, failed, _ = check_seeds(p.parse_args(), lambda args: KnownResults(args, program), KnownResults.check, report_every=100)
    print(f"{count} programs, {failed} failed")
    return failed > 0
