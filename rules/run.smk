"""Before and after a run: the command line, what is refused at once, and jobs that failed."""

import atexit
import gc
import logging
import shutil
import signal
import sys
from argparse import Namespace
from functools import cache
from os.path import exists
from pathlib import Path
from threading import Timer
from types import FrameType

from snakemake.cli import get_argument_parser
from snakemake.exceptions import WorkflowError
from snakemake.jobs import Job
from snakemake.logging import logger as screen
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake_interface_logger_plugins.common import LogEvent

from crossback_core.config.plain import check_files
from crossback_core.runtime.device import has_gpu
from crossback_core.runtime.run_log import error_in


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


@cache
def command_line() -> Namespace | None:
    """Return the command line, read by Snakemake's own parser.

    Snakemake reads the workflow before it tells it its targets. None where it is called from
    Python, or runs a job of a run whose command line was checked.
    """
    program = Path(sys.argv[0])
    if "snakemake" not in (program.name, program.parent.name) or "--target-jobs" in sys.argv:
        return None
    return get_argument_parser().parse_known_args(sys.argv[1:])[0]


def asked_for() -> list[str]:
    """Return the targets of the command line."""
    given = command_line()
    return sorted(given.targets) if given else []


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


def mark_failures() -> None:
    """Let results of jobs that fail be marked as incomplete: the next run makes them again.

    Snakemake 9.27 records a job that failed as one that is done, with its new params and inputs.
    """
    handle = JobScheduler._handle_error
    if getattr(handle, "marks", False):
        return  # read by the same process before

    def handle_and_mark(scheduler: JobScheduler, failed: Job, *given: bool, **named: bool) -> None:
        handle(scheduler, failed, *given, **named)
        for job in failed if failed.is_group() else [failed]:
            if any(Path(file).exists() for file in job.output):
                scheduler.workflow.persistence.started(job)
            if failed in scheduler.failed:  # and is not tried once more
                FAILED.append(job)

    handle_and_mark.marks = True
    JobScheduler._handle_error = handle_and_mark


def mend_ending() -> None:
    """Let a run that is interrupted, or fails, end with what a person needs to know."""
    schedule = JobScheduler.schedule
    if getattr(schedule, "ends", False) or not command_line():
        return  # read by the same process before, or no run of its own

    def schedule_or_end(scheduler: JobScheduler) -> bool:
        done = schedule(scheduler)
        if INTERRUPTED:  # Snakemake 9.27 takes that for a failure
            raise KeyboardInterrupt
        return done

    schedule_or_end.ends = True
    JobScheduler.schedule = schedule_or_end
    signal.signal(signal.SIGINT, interrupt)
    show = sys.excepthook
    sys.excepthook = lambda *error: None if INTERRUPTED else show(*error)
    screen.addFilter(is_shown)
    atexit.register(tell_ending)


def interrupt(number: int, frame: FrameType | None) -> None:
    """End the run; the jobs, which Ctrl-C ends as well, are no failures."""
    INTERRUPTED.append(number)
    raise KeyboardInterrupt


def is_shown(record: logging.LogRecord) -> bool:
    """Say whether Snakemake shows a line; leave out what `tell_ending` says in short."""
    what = getattr(record, "exception", "")
    if what == "LockException":
        record.msg = LOCKED
    text = record.getMessage()
    of_cluster = getattr(record, "aux", None)  # Slurm's own log may say more
    of_job = getattr(record, "event", None) == LogEvent.JOB_ERROR and not of_cluster
    of_job = of_job or (what == "RuleException" and "CalledProcessError" in text)
    return not (INTERRUPTED or (of_job and not shows_logs()) or text.startswith(SAID_SHORTER))


def shows_logs() -> bool:
    """Say whether Snakemake is to show the logs of jobs that fail, which it does with the rest."""
    given = command_line()
    return bool(given and given.show_failed_logs)


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


FAILED: list[Job] = []
INTERRUPTED: list[int] = []  # signals
REFUSED: list[str] = []
SAID_SHORTER = (
    "Cannot restore ",
    "--keep-incomplete mode is set",
    "WorkflowError:\nAt least one job did not complete",
    "Exiting because a job execution failed",
)
LOCKED = (
    "Error: another run is going on in this folder, or one was killed: .snakemake/locks is not empty\n"
    "Hint: wait for it; after a kill, when its jobs have ended: snakemake --unlock"
)


def tell_ending() -> None:
    """End the screen with what went wrong: Snakemake's own words on a failed job are many lines."""
    if INTERRUPTED:
        line = "Interrupted; nothing is lost: start the same command again"
        print(line, file=sys.stderr)
        return
    jobs = f"{len(FAILED)} job{'s' if len(FAILED) > 1 else ''} failed:"
    failures = [jobs, *map(why_failed, FAILED)] if FAILED else []
    for line in [*failures, *(f"Error: {each}" for each in dict.fromkeys(REFUSED))]:
        print(line, file=sys.stderr)


def why_failed(job: Job) -> str:
    """Return a line with the error that a job's log ends with, and where the log is."""
    log = next(iter(job.log), None)
    error = log and error_in(log)
    told = error or "it was killed, or ended before it could say why"
    return f"  {' '.join([job.rule.name, *job.wildcards])}: {told} (full log: {log})"


# Planning makes millions of small objects that stay: without this, looking for cycles among them takes
# an eighth of the time.
gc.set_threshold(50_000, 20, 50)
mark_failures()
look_once_a_second()
mend_ending()
check_room()
