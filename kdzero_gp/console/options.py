"""Options that several commands have in common, each declared once: pair, data, machine, output."""

from typing import Annotated, Any

import typer


def option(text: str, *names: str) -> Any:
    """An option whose default stands in a configuration: None here means that the user did not give it."""
    return typer.Option(*names, help=text, show_default=False)


TaskName = Annotated[
    str | None, option("classification (default), or multilabel: npz:FILE whose y is (N, K), 1 for each class it has.")
]
Data = Annotated[str | None, option("digits (default), cifar10, cifar100, npz:FILE, folder:PATH or imagenet:PATH.")]
Limit = Annotated[int | None, option("Use only the first N training images.")]
Teacher = Annotated[
    str | None, option("Teacher (default cnn32): a name, torchvision:NAME, timm:NAME or package.module:factory.")
]
Student = Annotated[str | None, option("Student network (default cnn2), named likewise.")]
TeacherWeights = Annotated[str | None, option("Checkpoint of the teacher; else it is trained once.")]
TeacherInput = Annotated[int | None, option("Side that images are resized to for the teacher.")]
StudentInput = Annotated[int | None, option("Side that images are resized to for the student.")]
TeacherNorm = Annotated[
    str | None, option("The teacher's normalisation: data (default), cifar10, cifar100, imagenet, or M,M,M/S,S,S.")
]
Taps = Annotated[
    list[str] | None, option("Taps set by hand: stage2=layer2.3, or student:stage2=… for one; may be repeated.")
]
Primitives = Annotated[list[str] | None, option("Python file with primitives of your own; may be repeated.")]
Preset = Annotated[
    str | None,
    option(
        "Recipe: repdistiller, repdistiller-light, locality, imagenet, digits, general or transformer; by default the "
        "student's."
    ),
]
BatchSize = Annotated[int | None, option("Images per step.")]
LearningRate = Annotated[float | None, option("Highest learning rate.")]
TrainingAugment = Annotated[
    str | None, option("none (default on digits), crop-flip (elsewhere) or strong (for transformers).")
]
TrainingViews = Annotated[int | None, option("Views of an image that augmentation makes (default: one an epoch).")]
Amp = Annotated[bool | None, option("Students run in bfloat16 under autocast.", "--amp/--no-amp")]
TrainingCache = Annotated[
    float | None, option("GiB for teacher outputs (default 4 without augmentation, else 0: it runs in every step).")
]
Executor = Annotated[str | None, option("auto (default), inprocess, processes or ray.")]
RayAddress = Annotated[str | None, option("An existing Ray cluster; else one is started here.")]
Workers = Annotated[int | None, option("Worker processes (default: one per core; on a GPU 1).")]
Threads = Annotated[int | None, option("Torch threads of each process (default 1).")]
Device = Annotated[str | None, option("cpu (default), cuda, cuda:N or auto.")]
OwnTeacher = Annotated[str | None, option("The teacher, where it is a network of your own.")]
OwnStudent = Annotated[str | None, option("The student, where it is a network of your own.")]
MovedWeights = Annotated[str | None, option("The teacher's checkpoint, where it has moved.")]
MovedData = Annotated[str | None, option("The data set, where it has moved.")]
StoredThreads = Annotated[int | None, option("Torch threads (default: as in the folder).")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
