"""Starts `python -m kdzero_gp.run` again and again without importing torch each time: `python driver.py`.

One JSON object per line on stdin: {"argv": […], "out": FILE, "err": FILE, "cwd": FOLDER, "largest_file": BYTES or null,
"module": ANOTHER COMMAND'S MODULE or absent} starts the command in a process of its own, in a process group of its own,
and prints its id; {"wait": ID} prints its exit code once it has ended, or minus the number of the signal that ended it.
"""

import importlib
import json
import os
import resource
import sys
from typing import Any, NoReturn

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # torch with a GPU cannot be forked after its first gradient

PRELOADED = (
    "kdzero_gp.run.events",
    "kdzero_gp.run.progress",
    "kdzero_gp.train.progress",
    "kdzero_gp.train.session",
    "kdzero_gp.run",
    "kdzero_gp.run.run",
    "matplotlib.textpath",
    "sklearn.datasets",
    "torch._dynamo",  # torch itself imports it for its first optimiser
)


def command(request: dict[str, Any]) -> NoReturn:
    """The child: a new session, its own output files, then the command until it exits."""
    os.setsid()
    os.chdir(request["cwd"])
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if request.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
    module = request.get("module", "kdzero_gp.run")
    sys.argv = [module, *request["argv"]]
    sys.exit(importlib.import_module(f"{module}.__main__").app())


def main() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    from kdzero_gp.grammar.registry import default_registry

    default_registry()
    print("ready", flush=True)
    while line := sys.stdin.readline():
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            command(request)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
