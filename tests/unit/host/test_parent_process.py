"""A child that asked for it ends with the process that started it, however that went."""

import subprocess
import sys
import textwrap

import pytest

from fakes.waiting import wait_until

CHILD = "from snaploop_host.parent_process import end_with_parent; end_with_parent(); print(flush=True); import time; time.sleep(600)"
PARENT = textwrap.dedent("""
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
    child.stdout.readline()
    print(child.pid, flush=True)
    time.sleep(600)
""")


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's; elsewhere a child works on until it is done")
def test_child_ends_when_its_parent_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert _is_alive(child)
    parent.kill()
    parent.wait()
    wait_until(lambda: not _is_alive(child))


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
