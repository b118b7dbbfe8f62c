"""One process of a data-parallel training on digits, started by torchrun: `rank_process.py FOLDER DISTILLER …`.

The folder holds the teacher's weights; the state at the end goes there, of every process.
"""

import sys
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file

from kdzero_gp.data import load_dataset
from kdzero_gp.loops.ranks import launched
from kdzero_gp.loops.sharded import ShardedTraining
from kdzero_gp.methods.named import make_loss, named_distiller
from kdzero_gp.models import build, load_weights
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

RECIPE = Recipe(epochs=2, batch_size=32, lr=0.1)


def main() -> None:
    folder, texts = Path(sys.argv[1]), sys.argv[2:]
    torch.set_num_threads(1)
    data = load_dataset("digits", limit=192)
    teacher = build("cnn8", num_classes=10, in_channels=1)
    load_weights(teacher, folder / "teacher.pt")
    student = partial(build, "cnn2", num_classes=10, in_channels=1)
    task = Task("small", teacher, student, data, recipe=RECIPE, proxy=RECIPE)
    with launched("cpu") as (ranks, _):
        for number, text in enumerate(texts):
            named = named_distiller(text, ("stage1", "stage2"))
            distiller = make_loss(named.tree, named.module, ("stage1", "stage2"), seed=3)
            seeds = {"student_seed": 1, "order_seed": 2}
            training = ShardedTraining(task, distiller, RECIPE, **seeds, distiller_warmup=3, ranks=ranks)
            training.advance(training.steps)
            save_file(training.state(), folder / f"{number}.{ranks.rank}.safetensors")


if __name__ == "__main__":
    main()
