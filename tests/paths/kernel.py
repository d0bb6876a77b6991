"""What is asked of the kernel and has no place in Python's library before 3.12: namespaces, and TUN devices."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import signal
import struct
import subprocess
import sys
from typing import Callable, Iterator

# linux/sched.h, linux/prctl.h, linux/if_tun.h
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000

# Where `ip netns` has its names: below what `apart` makes our own.
OWN = pathlib.Path("/run")
NAMES = OWN / "netns"
TUN = "/dev/net/tun"

libc = ctypes.CDLL(None, use_errno=True)


# The exit code of a test that could not be run, as automake and its like have it.
LEFT_OUT = 77


class Unavailable(Exception):
    """This machine does not let us."""


def left_out(reason: Unavailable) -> int:
    """Says why nothing was tested; the exit code for it."""
    print(f"paths: left out: {reason}", file=sys.stderr)
    return LEFT_OUT


def apart(play: Callable[[], int]) -> int:
    """Plays in a world of its own, and gives what it gives. Whatever way it ends, nothing is left.

    The child has processes, mounts and a network for itself: it is process 1 of a PID namespace, so the kernel kills all
    that it has started when it dies, and it dies with us. Names of network namespaces and all files stand on a `tmpfs` that
    no other process sees and that goes with the last of them, as network namespaces and devices do. So there is nothing
    to clean up after a run, not even after one that was killed, and runs do not meet. Its network has no way out.
    """
    if os.geteuid() != 0:
        raise Unavailable("only root may make namespaces")
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        raise Unavailable(f"no TUN devices: {error}") from error
    try:
        call(libc.unshare, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)
    except OSError as error:
        raise Unavailable(f"no namespaces: {error}") from error
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os._exit(play_as_child(play))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGKILL))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # Killed: as a shell would tell it.
    return code if code >= 0 else 128 - code


def play_as_child(play: Callable[[], int]) -> int:
    """Makes the child's world and plays; an exit code, whatever happens."""
    code = 1
    try:
        call(libc.prctl, PR_SET_PDEATHSIG, signal.SIGKILL)
        for options in (["--make-rprivate", "/"], ["-t", "proc", "proc", "/proc"], ["-t", "tmpfs", "tmpfs", str(OWN)]):
            subprocess.run(["mount", *options], check=True)
        code = play()
    except Unavailable as reason:
        code = left_out(reason)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code


@contextlib.contextmanager
def inside(place: str) -> Iterator[None]:
    """Within it this thread is in a place: sockets and processes that it makes there belong there for good."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter(NAMES / place)
        yield
    finally:
        call(libc.setns, own, CLONE_NEWNET)
        os.close(own)


def enter(namespace: pathlib.Path) -> None:
    """Moves this thread into a network namespace."""
    there = os.open(namespace, os.O_RDONLY)
    try:
        call(libc.setns, there, CLONE_NEWNET)
    finally:
        os.close(there)


def open_tun(name: str) -> int:
    """A TUN device in the place where this thread is; it lasts as long as what is returned is open."""
    device = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError as error:
        os.close(device)
        raise Unavailable(f"no TUN device can be made: {error}") from error
    return device


def call(function: Callable[..., int], *arguments: int) -> None:
    """Calls into the C library; its errors become ours."""
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
