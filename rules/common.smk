"""What all rules share: the checked configuration, and how rules get their params."""

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

from snakemake.iocontainers import Wildcards

from crossback_core.version import NUMERICS
from crossback_core.checkpoint import CHECKPOINT_FORMAT
from crossback_core.config import Experiment, Settings, load_settings
from crossback_core.config.requests import check_requests
from crossback_core.data import TASK_FORMAT
from crossback_core.records import RECORD_FORMAT
from crossback_core.runtime.device import has_gpu

FORMATS = (
    f"numerics {NUMERICS}, checkpoints {CHECKPOINT_FORMAT}, records {RECORD_FORMAT},"
    f" tasks {TASK_FORMAT}"
)


def checked_settings() -> Settings:
    """Turn the configuration into settings, unless what is asked for is not in it."""
    try:
        settings = load_settings(config)
        check_requests(asked_for(), settings)
        return settings
    except ValueError as error:
        raise refused(error) from None


SETTINGS = checked_settings()
check_device(SETTINGS.device)
GPUS = int(SETTINGS.device == "cuda")  # of a training job
TRAINING_MB = 8000 if GPUS else 2000  # of main memory
Param = Callable[[Wildcards], object]


def experiment_of(wildcards: Wildcards) -> Experiment:
    """Return what is done with a job's data set."""
    return SETTINGS.datasets[wildcards.dataset]


def task_id(wildcards: Wildcards) -> str:
    """Return a job's task or joint network."""
    return wildcards.task


def target_id(wildcards: Wildcards) -> str:
    """Return a job's target."""
    return wildcards.target


def rounding(wildcards: Wildcards) -> str:
    """Return what networks are trained on: a GPU rounds otherwise."""
    on_gpu = SETTINGS.device == "cuda" or (SETTINGS.device == "auto" and has_gpu())
    return "GPU" if on_gpu else "CPU"


def setting(path: str) -> Param:
    """Return the params function that looks up a setting of a job's data set."""
    return lambda wildcards: attrgetter(path)(experiment_of(wildcards))


def computed(*also: Param, seed: int | Param | None = SETTINGS.seed, **given: str | Param) -> dict:
    """Return the params of a rule whose results last, with the text that it reruns by.

    Snakemake reruns a job when the set of its params changes, but it skips values that are not
    built in (our settings) and cannot tell a changed seed from an equal task id. So one text lists
    all that determines a result. Under the empty name it is a param without any, which scripts do
    not pass on.

    Args:
        also: Params functions of what determines the result but is not passed on.
        seed: Source of all randomness; None for a rule without any.
        given: What determines the result: settings by their path, or params functions.
    """
    passed = {name: setting(it) if isinstance(it, str) else it for name, it in given.items()}

    def rerun_by(wildcards: Wildcards) -> str:
        values = [function(wildcards) for function in (*also, *passed.values())]
        own_seed = seed(wildcards) if callable(seed) else seed
        return "\n".join([FORMATS, f"seed {own_seed}", *map(repr, values)])

    return {"": rerun_by, **passed} | ({} if seed is None else {"seed": seed})


def grows(amount: int) -> Callable[[Wildcards, int], int]:
    """Return the resources function that asks for the amount again at each new attempt."""
    return lambda wildcards, attempt: amount * attempt
