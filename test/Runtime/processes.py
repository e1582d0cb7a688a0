"""Starts a package as several processes, by hand or through mpirun, and checks
what the issue of a run must be: equal results, or who is to blame.

  processes.py SHOAL_RUN MODEL.so EXPECTED.npz MODE
"""
import os
import random
import signal
import subprocess
import sys
import time

tool, model, expected, mode = sys.argv[1:]
BASE = [tool, model, "--input=random:5"]


def launcher(i, count, port):
    """The variables that process i has from whoever started it."""
    if mode.startswith("slurm"):
        # A step of a job; "slurms": on two machines, of which this one is the first.
        spread = mode.startswith("slurms")
        return dict(SLURM_PROCID=str(i), SLURM_LOCALID=str(i), SLURM_NTASKS=str(count), SLURM_STEP_NUM_TASKS=str(count),
                    SLURM_STEP_TASKS_PER_NODE=f"{count // 2}(x2)" if spread else str(count), SLURM_STEP_ID="0",
                    SLURM_JOB_ID=port, SLURM_JOB_NODELIST="127.0.0.[1,7-9],other" if spread else "nowhere")
    if mode.startswith("torchrun"):
        return dict(RANK=str(i), LOCAL_RANK=str(i), WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count),
                    GROUP_RANK="0", TORCHELASTIC_RUN_ID="none", MASTER_ADDR="localhost", MASTER_PORT=port)
    return dict(RANK=str(i), LOCAL_RANK=str(i), WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1", MASTER_PORT=port)


def start(count, args, env=None, victim_env=None, victim=3):
    """One process for each place; the victim has variables of its own."""
    for _ in range(5):
        port = str(random.randrange(20000, 60000))
        processes = []
        for i in range(count):
            e = dict(os.environ, SHOAL_NUM_THREADS="1", SHOAL_TEST_STALL_SECONDS="3",
                     **launcher(i, count, port), **(env or {}))
            if i == victim:
                e.update(victim_env or {})
            processes.append(subprocess.Popen(BASE + args, env=e, text=True, stdout=subprocess.PIPE,
                                              stderr=subprocess.STDOUT))
        if mode == "killed":
            time.sleep(2)
            processes[victim].send_signal(signal.SIGKILL)
        elif mode == "stopped":
            time.sleep(2)
            processes[victim].send_signal(signal.SIGSTOP)
            time.sleep(8)
            processes[victim].send_signal(signal.SIGKILL)
        out = [p.communicate(timeout=120)[0] for p in processes]
        if "cannot listen" not in out[0]:  # the port was taken
            return [p.returncode for p in processes], out
    sys.exit("no port is free")


if mode == "mpirun":
    codes, out = [], []
    p = subprocess.run(["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "4"] + BASE + [f"--check={expected}"],
                       text=True, capture_output=True, timeout=120)
    sys.exit(f"mpirun: {p.returncode}\n{p.stdout}{p.stderr}" if p.returncode or "results match" not in p.stdout else 0)
if mode[-1].isdigit():  # equal8, slurm4, slurms4, torchrun4
    codes, out = start(int(mode.lstrip("abcdefghijklmnopqrstuvwxyz")), [f"--check={expected}"])
    good = codes == [0] * len(codes) and "results match" in out[0]
else:
    victim = {"died": {"SHOAL_TEST_FAULT": "die:6:2"}, "hung": {"SHOAL_TEST_FAULT": "hang:6:2"},
              "skipped": {"SHOAL_TEST_FAULT": "skip:6:2"}}.get(mode, {})
    codes, out = start(4, ["--repeat=100000" if mode in ("killed", "stopped") else "--repeat=1"], victim_env=victim)
    # Everybody stops, and says whose fault it is.
    good = all(c == 3 for i, c in enumerate(codes) if i != 3) and codes[3] != 0 and \
        all("process 3" in text for i, text in enumerate(out) if i != 3)
if not good:
    print(codes)
    print("\n".join(out))
    sys.exit(1)
