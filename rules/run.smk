"""Before a run: what is refused at once, and how Snakemake is kept quick."""

import gc
import shutil
from os.path import exists
from pathlib import Path
from threading import Timer

from snakemake.exceptions import WorkflowError
from snakemake.scheduling.job_scheduler import JobScheduler


include: "ending.smk"  # first: from there on Ctrl-C ends in a line


from crossback_core.config.plain import check_files
from crossback_core.runtime.device import has_gpu


class Refused(WorkflowError):
    """A mistake of the user: Snakemake shows its message and no lines of code."""

    __traceback__ = property(lambda self: None, lambda self, value: None)


def refused(error: ValueError) -> Refused:
    """Return a mistake in the configuration or the data; each of several is marked as an error."""
    return Refused(str(error).replace("\n    ", "\n    Error: "))


def refused_within(message: str) -> Refused:
    """Return what an input function raises: Snakemake words that itself, so it is told once more."""
    REFUSED.append(message)
    return Refused(message)


def check_room() -> None:
    """Refuse to start on a full disk, on which Snakemake's own records end with a traceback."""
    disk = shutil.disk_usage(".")
    if disk.total and disk.free < 256 * 1024:  # what Snakemake's records of a run take at least
        raise Refused(
            f"the disk is full: {Path.cwd()} has {disk.free // 1024} KiB left; what was written "
            "earlier is whole: make room and run the same command again"
        )


def check_configuration(file: str) -> None:
    """Refuse configuration files that do not say what they seem to, or that run code.

    Args:
        file: What `configfile` names: Snakemake has not read it yet. Those of the command line
            have been read.
    """
    try:
        check_files([*workflow.configfiles, *filter(exists, [file])])
    except ValueError as error:
        raise refused(error) from None


def check_device(device: str) -> None:
    """Refuse a GPU that is not there, before anything is planned; a cluster has its own."""
    given = command_line()
    here = given and not given.profile and given.executor in (None, "local")
    if device == "cuda" and here and not has_gpu():
        raise Refused("device: cuda is not allowed: this machine has no GPU; set it to auto or cpu")


def look_once_a_second() -> None:
    """Let the scheduler have one timer that makes it look at the ready jobs again.

    Snakemake 9.27 starts one more after each look, and each ends in a look: they add up with each
    job that is done, until the looks of a run of hundreds of jobs take a core from them.
    """
    waiting: list[Timer] = []

    def look_again(scheduler: JobScheduler, delay: float) -> None:
        def look() -> None:
            waiting.clear()
            scheduler._open_jobs.release()

        if not waiting:
            waiting.append(Timer(delay, look))
            waiting[0].start()

    JobScheduler._schedule_reevalutation = look_again


# Planning makes millions of small objects that stay: without this, looking for cycles among them takes
# an eighth of the time.
gc.set_threshold(50_000, 20, 50)
look_once_a_second()
check_room()
