"""Child processes: heard line by line, their ends told apart."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import psutil

from tests.support.poll import wait_until

PARENT = """
    import os, signal, sys, time
    from entrepot.app.child import fork

    {body}
"""


def _run(body: str) -> str:
    """What a process of its own prints: forking is for processes without threads."""
    program = textwrap.dedent(PARENT).format(body=textwrap.dedent(body))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    return done.stdout


def test_what_it_says_is_heard() -> None:
    body = """
    def run(reporter):
        reporter.say("profile", "of two\\nlines")
        reporter.say("done")
        return 3
    child = fork(run)
    print(child.wait(), child.end_text())
    """
    assert _run(body) == "[('profile', 'of two lines'), ('done', '')] exit code 3\n"


def test_a_killed_child_is_noticed() -> None:
    body = """
    child = fork(lambda reporter: time.sleep(60))
    child.kill(signal.SIGKILL)
    while not child.has_exited():
        time.sleep(0.01)
    print(child.end_text(), child.hear())
    """
    assert _run(body) == "killed by SIGKILL []\n"


def test_an_error_stays_in_the_child() -> None:
    body = """
    def run(reporter):
        raise RuntimeError("inside")
    try:
        child = fork(run)
        child.wait()
    finally:
        print("parent", child.end_text())
    """
    assert _run(body) == "parent exit code 1\n"


def test_it_dies_with_its_parent() -> None:
    body = """
    reading, writing = os.pipe()
    def run(reporter):
        os.write(writing, b"x")
        time.sleep(60)
    child = fork(run)
    os.read(reading, 1)
    print(child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    program = textwrap.dedent(PARENT).format(body=textwrap.dedent(body))
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, timeout=20, check=False)
    assert done.returncode == -signal.SIGKILL
    child = int(done.stdout)
    wait_until(lambda: not psutil.pid_exists(child) or _is_dead(child), what="the end of the child")


def _is_dead(pid: int) -> bool:
    """A zombie counts: whoever adopted it may take a while to ask how it ended."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
