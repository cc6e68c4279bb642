"""Settings of all tests."""

import os
import signal

# One thread for each process, as in the workflow's jobs: networks this small gain nothing from
# more, and where cores are shared, threads that wait for one another take several times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's background jobs ignore Ctrl-C, and so would what the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
