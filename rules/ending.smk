"""How a run ends: interrupted, with jobs that failed, or in the place of another run."""

import atexit
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from snakemake.jobs import Job
from snakemake.logging import logger as screen
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.script import PythonScript
from snakemake_interface_logger_plugins.common import LogEvent

from crossback_core.runtime.interruption import end_interrupted
from crossback_core.wording import counted


include: "command_line.smk"


FAILED: list[Job] = []
INTERRUPTED: list[int] = []  # signals
REFUSED: list[str] = []  # what input functions raise
QUIETLY = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
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
    sys.excepthook = unless_interrupted(sys.excepthook)
    sys.unraisablehook = unless_interrupted(sys.unraisablehook)  # of Ctrl-C pressed twice
    screen.addFilter(is_shown)
    atexit.register(tell_ending)


def unless_interrupted(show: Callable[..., None]) -> Callable[..., None]:
    """Return what shows an error, but nothing once the run is interrupted."""
    return lambda *error: None if INTERRUPTED else show(*error)


def interrupt(number: int, frame: FrameType | None) -> None:
    """End the run; the jobs, which Ctrl-C ends as well, are no failures."""
    INTERRUPTED.append(number)
    raise KeyboardInterrupt


def quieten_jobs() -> None:
    """Let Ctrl-C end a job that still loads its packages without a traceback; see `run_log`."""
    preamble = PythonScript.get_preamble
    if not getattr(preamble, "quietens", False):  # not read by the same process before
        PythonScript.get_preamble = lambda script: QUIETLY + preamble(script)
        PythonScript.get_preamble.quietens = True


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


def tell_ending() -> None:
    """End the screen with what went wrong: Snakemake's own words on a failed job are many lines."""
    if INTERRUPTED:
        end_interrupted("Interrupted; nothing is lost: start the same command again")
    failures = (
        [f"{counted(len(FAILED), 'job')} failed:", *map(why_failed, FAILED)] if FAILED else []
    )
    for line in [*failures, *(f"Error: {each}" for each in dict.fromkeys(REFUSED))]:
        print(line, file=sys.stderr)


def why_failed(job: Job) -> str:
    """Return a line with the error that a job's log ends with, and where the log is."""
    from crossback_core.runtime.run_log import error_in  # jobs that fail are few

    log = next(iter(job.log), None)
    error = log and error_in(log)
    told = error or "it was killed, or ended before it could say why"
    return f"  {' '.join([job.rule.name, *job.wildcards])}: {told} (full log: {log})"


mend_ending()
quieten_jobs()
mark_failures()
