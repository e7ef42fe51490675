"""A file system of its own on an image file, whose power can be cut.

The cut is the kernel's own: the ioctl XFS_IOC_GOINGDOWN, which XFS and ext4 both know and which `xfs_io -x -c shutdown`
makes (here without the program, so that the moment is known to the microsecond). From then on nothing reaches the
image; what it holds is what a disk holds that lost its power at that moment, and the next mount replays the journal as
after any crash. Two kinds:
  hard   `shutdown`     the journal's unwritten part is lost as well
  flush  `shutdown -f`  the journal is written first, data are not: names and sizes without contents
Blocks that the file system has sent to the (loop) disk stay there: disks that lie about what they have stored are not
simulated."""

import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import time

TOOLS = {"ext4": ("mkfs.ext4", "e2fsck"), "xfs": ("mkfs.xfs", "xfs_repair")}
SIZE = 1 << 30
HARD, FLUSH = "hard", "flush"
GOING_DOWN, FLUSH_LOG, NO_FLUSH = 0x8004587d, 1, 2  # XFS_IOC_GOINGDOWN and its flags


def run(*words, check=True):
    result = subprocess.run([str(w) for w in words], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=120)
    if check and result.returncode != 0:
        raise OSError(f"{' '.join(map(str, words))}: exit {result.returncode}: {result.stdout.strip()}")
    return result


class Disk:
    def __init__(self, kind, folder):
        self.kind = kind
        self.image = pathlib.Path(folder) / f"{kind}.img"
        self.mount_point = pathlib.Path(folder) / f"{kind}"
        self.mount_point.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(SIZE)
        run(*{"ext4": ("mkfs.ext4", "-q", "-F", self.image), "xfs": ("mkfs.xfs", "-q", "-f", self.image)}[kind])
        self.mounted = False

    def mount(self):
        run("mount", "-o", "loop", self.image, self.mount_point)
        self.mounted = True

    def cut(self, how):
        """Returns when it began: what a client was told before that is a promise."""
        root = os.open(self.mount_point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            begin = time.time()
            fcntl.ioctl(root, GOING_DOWN, struct.pack("I", FLUSH_LOG if how == FLUSH else NO_FLUSH))
            return begin
        finally:
            os.close(root)

    def unmount(self, seconds=30):
        """Whoever was killed may need a moment to let go of it."""
        end = time.monotonic() + seconds
        while (result := run("umount", self.mount_point, check=False)).returncode != 0:
            if time.monotonic() > end:
                raise OSError(f"umount {self.mount_point}: {result.stdout.strip()}")
            time.sleep(0.02)
        self.mounted = False

    def recover(self):
        """After a cut: what a machine does when its power comes back. Returns what fsck has to say once the
        journal is replayed, "" when the file system is sound."""
        self.unmount()
        self.mount()
        self.unmount()
        words = ("e2fsck", "-f", "-n") if self.kind == "ext4" else ("xfs_repair", "-n")
        found = run(*words, self.image, check=False)
        self.mount()
        return found.stdout if found.returncode != 0 else ""

    def remove(self, keep_image=False):
        if self.mounted:
            run("umount", "-l", self.mount_point, check=False)
        if not keep_image:
            self.image.unlink(missing_ok=True)


def why_not(kind, folder):
    """Why this machine cannot cut the power of such a file system; "" when it can. Tried, not guessed."""
    if os.geteuid() != 0:
        return "needs root (loop mounts)"
    for tool in TOOLS[kind]:
        if shutil.which(tool) is None:
            return f"{tool} is not installed (packages e2fsprogs, xfsprogs)"
    folder = pathlib.Path(folder) / f"probe-{kind}"
    folder.mkdir()
    disk = None
    try:
        disk = Disk(kind, folder)
        disk.mount()
        synced, lost = disk.mount_point / "synced", disk.mount_point / "lost"
        with open(synced, "w") as file:
            file.write("x")
            file.flush()
            os.fsync(file.fileno())
        lost.write_text("x")
        disk.cut(HARD)
        disk.unmount()
        disk.mount()
        if synced.read_text() != "x" or lost.exists():
            return "a cut does not do what it shall here"
        disk.unmount()
        return ""
    except OSError as error:
        return f"{kind} on a loop device cannot be cut here: {error}"
    finally:
        if disk:
            disk.remove()
        shutil.rmtree(folder, ignore_errors=True)
