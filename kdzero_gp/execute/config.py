"""The options of how many trainings go on at once, and where."""

from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from kdzero_gp.execute.executor import AUTO, EXECUTORS, check_executor
from kdzero_gp.loops.fused.ways import Way, parse_fuse
from kdzero_gp.pair.config import ProcessConfig

NOT_IDENTITY = frozenset(("workers", "executor", "ray_address"))
"""Options that change how fast a run goes and not what it finds, so a run may be resumed under others."""


class ExecutorConfig(ProcessConfig):
    """How many trainings go on at once, and where."""

    at_the_end: ClassVar[bool] = True

    executor: str = Field(AUTO, description=f"{{default}} (default), {EXECUTORS.listed()}.")
    ray_address: str | None = Field(None, description="An existing Ray cluster; else one is started here.")
    workers: int | None = Field(
        None, ge=1, le=1024, description="Worker processes (default: one per core; on a GPU 1)."
    )
    fuse: str | None = Field(
        None, description="Students in one program: a number (default 1), or auto (default on a GPU)."
    )

    @field_validator("fuse")
    @classmethod
    def _known_fuse(cls, text: str | None) -> str | None:
        if text not in (None, "auto"):
            parse_fuse(str(text))
        return text

    @model_validator(mode="after")
    def _consistent_executor(self) -> Self:
        check_executor(self.executor, self.workers, dict(self))
        return self

    @property
    def together(self) -> tuple[int, Way | None]:
        """How many students are trained in one program, and the way; one, until what `auto` means is settled."""
        return (1, None) if self.fuse in (None, "auto") else parse_fuse(str(self.fuse))
