"""Limits a process that handles other people's bytes: its memory, time, files and priority."""

import os
import resource
import signal


def limit_process(*, memory_bytes: int, cpu_seconds: int, wall_seconds: int, file_bytes: int, nice: int = 10) -> None:
    """Limit this very process, for good. Call it first thing in a sandbox, before a decoder is imported.

    Over the memory limit an allocation fails; over the CPU or wall limit the kernel ends the process by a signal.
    """
    os.nice(nice)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(wall_seconds)


def limit_time(*, cpu_seconds: int, wall_seconds: int) -> None:
    """Limit what is left for this process's work, once it knows how much that is; never above the first limit."""
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (min(cpu_seconds, most), most))
    signal.alarm(wall_seconds)
