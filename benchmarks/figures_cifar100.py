"""`python -m benchmarks.figures --setting cifar100` under the name of its result."""

import sys

from benchmarks.figures.__main__ import app

if __name__ == "__main__":
    app(["--setting", "cifar100", *sys.argv[1:]])
