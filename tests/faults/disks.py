"""Disks for a test alone: file systems made in files or memory, mounted, cut from power, and taken away at the end."""

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path

from tests.faults.machine import need, need_programs, need_root

_MAKERS = {
    "ext4": ("mkfs.ext4", "-q"),
    "xfs": ("mkfs.xfs", "-q"),
    "btrfs": ("mkfs.btrfs", "-q"),
    "ntfs": ("mkntfs", "-q", "-F"),
    "exfat": ("mkfs.exfat",),
}
_MEBIBYTES = {"ext4": 48, "xfs": 320, "btrfs": 128, "ntfs": 16, "exfat": 16}
"""xfs and btrfs make none that are smaller."""
_MOUNTERS = {
    "ntfs": ("lowntfs-3g", "-o", "ignore_case,windows_names"),
    "exfat": ("mount.exfat-fuse",),
    "shuffled": ("disorderfs", "--shuffle-dirents=yes", "--quiet"),
}
"""Those that `mount` does not know; `shuffled` is another folder, its names in another order at every look."""
_FS_IOC_SHUTDOWN = 0x8004587D
CUTS = {"cut power": 2, "cut power, log kept": 1}
"""Action of a fault -> what FS_IOC_SHUTDOWN is told: drop the file system's own log, or write that and no more."""


class Disks:
    """What is mounted for a test, each below one folder."""

    def __init__(self, folder: Path) -> None:
        need_root()
        self._folder = folder
        self._mounted: dict[Path, tuple[str, str | Path, str]] = {}

    def new(self, kind: str, options: str = "rw", name: str = "disk") -> Path:
        """Make a file system and return its root."""
        return self.attach(kind, self._made(kind) if kind in _MAKERS else kind, options, name)

    def attach(self, kind: str, what: str | Path, options: str = "rw", name: str = "disk") -> Path:
        """Mount a file system and return its root."""
        root = self._folder / name
        root.mkdir(exist_ok=True)
        mounter = _MOUNTERS.get(kind, ("mount", "-t", kind))
        need_programs(mounter[0])
        device = _must("losetup", "--find", "--show", what).strip() if isinstance(what, Path) else what
        ran = subprocess.run([*mounter, "-o", options, device, root], capture_output=True, text=True, check=False)
        if isinstance(what, Path):
            _must("losetup", "--detach", device)  # when nothing is mounted from it any more
        need(ran.returncode == 0, f"a way to mount {kind}: {ran.stderr.strip()}")
        self._mounted[root] = (kind, what, options)
        return root

    def change(self, root: Path, options: str) -> None:
        """Mount a file system anew where it is, with other options."""
        _must("mount", "-o", f"remount,{options}", root)

    def detach(self, root: Path) -> None:
        """Unmount a file system; what it lies on is free afterwards."""
        _, what, _ = self._mounted.pop(root)
        _must("umount", root)
        while isinstance(what, Path) and _must("losetup", "--associated", what):
            time.sleep(0.002)

    def attach_again(self, root: Path) -> None:
        """Unmount and mount, as after a power cut."""
        kind, what, options = self._mounted[root]
        self.detach(root)
        self.attach(kind, what, options, root.name)

    def close(self) -> None:
        for root in reversed(self._mounted):
            subprocess.run(["umount", "--lazy", root], check=False)

    def _made(self, kind: str) -> Path:
        """Make a file system in a sparse file."""
        program, *arguments = _MAKERS[kind]
        need_programs(program)
        image = self._folder / f"{len(list(self._folder.iterdir()))}.{kind}"
        with open(image, "wb") as file:
            file.truncate(_MEBIBYTES[kind] << 20)
        _must(program, *arguments, image)
        return image


def cut_power(root: Path, action: str = "cut power") -> None:
    """Let nothing reach a disk any more that has not reached it yet."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _FS_IOC_SHUTDOWN, struct.pack("I", CUTS[action]))
    finally:
        os.close(descriptor)


def _must(*command: str | Path) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{command}: {ran.stderr}"
    return ran.stdout
