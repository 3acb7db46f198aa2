"""Does the bench bite? Each guard is taken out once, in a copy of the program, and a layer has to go red."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).parents[2]
_LONGEST = 300
"""Seconds after which a test waits for ever, which is noticed, too."""


class Mutation(NamedTuple):
    """A guard, what is left when it is out, and the test that has to notice."""

    guard: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = (
    Mutation(
        "a staging whose tree was published is begun anew", "storage/staging.py",
        "    if os.path.lexists(folder) and not _is_intact(folder):\n        delete(folder)\n    if not", "    if not",
        "test_kill_sweep.py -k overwrite-kill",
    ),
    Mutation(
        "the lock of a dead run is removed", "storage/staging.py",
        "if os.path.lexists(folder) or os.path.lexists(lock):", "if os.path.lexists(folder):",
        "test_kill_sweep.py -k augment-kill",
    ),
    Mutation(
        "vectors of a killed run are removed", "embed.py",
        "                remove_numbers(numbers_path(path))\n                remove_unfinished",
        "                remove_unfinished",
        "test_kill_sweep.py -k embed-kill",
    ),
    Mutation(
        "workers die with their parent", "backends.py",
        "        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)\n", "", "test_kill_sweep.py -k augment-kill",
    ),
    Mutation(
        "the journal ends before a spoilt row", "storage/journal.py",
        "        os.ftruncate(self._descriptor, self._end)\n", "", "test_stateful.py",
    ),
    Mutation(
        "staged files are of the source as it is", "reuse.py",
        "            and found[0].stamp == operation.source.stamp\n", "", "test_stateful.py",
    ),
    Mutation(
        "staged files of another boot are hashed", "reuse.py",
        "            and found[1] == self.boot\n", "", "test_stateful.py",
    ),
    Mutation(
        "a row is taken back before its file is made anew", "reuse.py",
        "            self.staging.forget(operation.output)\n", "            pass\n", "../test_execute.py",
    ),
    Mutation(
        "a name that is not durable is taken back", "storage/publish.py",
        "            name(output, made)\n            raise", "            raise", "test_error_sweep.py -k augment-sync",
    ),
    Mutation(
        "what is left over ends no run", "storage/lock.py",
        "        with contextlib.suppress(OSError):\n            os.close(descriptor)", "        os.close(descriptor)",
        "test_error_sweep.py -k augment-close",
    ),
    Mutation(
        "a disk's error is no bad image", "storage/transfer.py",
        "        if error.errno in _OF_ONE_FILE:\n            raise UnreadableError(",
        "        if error.errno in _OF_ONE_FILE:\n            raise BadImageError(",
        "test_error_sweep.py -k undersample-read",
    ),
    Mutation(
        "the disk is synced before the rename", "storage/staging.py",
        "        sync_filesystem(self.folder)\n        with open",
        "        with open", "test_power_cut.py",
    ),
    Mutation(
        "the new name is synced", "storage/publish.py",
        "            _sync(folder, parent)\n", "            pass\n", "test_power_cut.py",
    ),
    Mutation(
        "the rename replaces nothing", "storage/publish.py",
        "    code = _renameat2(tree, output, _NO_REPLACE)\n", "    code = _renameat2(tree, output, 0)\n",
        "../storage/test_staging.py",
    ),
    Mutation(
        "the room of the disk is asked", "preflight.py",
        "    staging.room().check(needed.n_files, needed.n_bytes)\n", "", "../test_execute.py -k room",
    ),
    Mutation(
        "names the disk does not take are refused", "preflight.py",
        "    if not staging.takes_any_name():\n", "    if False:\n", "test_file_systems.py -k name",
    ),
    Mutation(
        "names the disk takes for one are refused", "preflight.py",
        "    if not staging.tells_names_apart():\n", "    if False:\n", "test_file_systems.py -k apart",
    ),
    Mutation(
        "originals are clones where the disk can", "storage/transfer.py",
        "self.link == \"auto\" and clone(", "self.link == \"none\" and clone(", "test_file_systems.py -k clones",
    ),
    Mutation(
        "pixels are counted before they are decoded", "images/codec.py",
        "image.width * image.height > max_pixels", "False", "test_images.py -k bomb",
    ),
    Mutation(
        "errors of a decoder are told as ours", "images/codec.py",
        "    except Exception as error:  # noqa: BLE001", "    except OSError as error:  # noqa: BLE001",
        "test_images.py -k spoiled",
    ),
    Mutation(
        "formats are those that are read, by content", "images/codec.py",
        "formats=_FORMATS)", "formats=None)", "test_content.py -k format",
    ),
    Mutation(
        "classes are sorted by bytes", "storage/scan.py",
        "        images = sorted(self._images(folder, self._entries(folder)), key=lambda image: to_bytes(image.path))",
        "        images = list(self._images(folder, self._entries(folder)))", "test_determinism.py",
    ),
    Mutation(
        "what is drawn hangs on no hash seed", "drawing.py",
        "(seed, to_bytes(path), copy_number), digest", "(seed, b\"%d\" % hash(path), copy_number), digest",
        "test_determinism.py",
    ),
    Mutation(
        "sources are opened for reading", "storage/transfer.py",
        "    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)\n",
        "    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)\n", "test_source.py",
    ),
    Mutation(
        "a dry run opens nothing", "cli/balancing.py",
        "    if given[\"dry_run\"] or output is None:\n",
        "    if given[\"dry_run\"] or output is None:\n        open(\"plan.txt\", \"w\").close()\n", "test_source.py",
    ),
    Mutation(
        "a worker has so much time for an image", "backends.py",
        "        signal.setitimer(signal.ITIMER_REAL, _clock.seconds)\n", "        pass\n",
        "test_processes.py -k end_their_workers",
    ),
    Mutation(
        "one run at a time", "storage/lock.py",
        "            fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)\n",
        "            pass\n",
        "test_processes.py -k ten_runs",
    ),
    Mutation(
        "links are not followed out of the source", "storage/scan.py",
        "    if not os.path.realpath(path).startswith(os.path.realpath(root) + b\"/\"):\n", "    if False:\n",
        "test_sources.py -k links",
    ),
    Mutation(
        "pipes are not waited for", "storage/scan.py",
        "        if not stat.S_ISREG(status.st_mode):\n", "        if False:\n", "test_sources.py -k no_file",
    ),
    Mutation(
        "controls reach no terminal", "cli/report.py",
        "return name.translate(_SHOWN).encode(\"utf-8\", \"backslashreplace\").decode()",
        "return name.encode(\"utf-8\", \"backslashreplace\").decode()", "test_names.py -k terminal",
    ),
    Mutation(
        "devices and inodes tell OUTPUT from SOURCE", "storage/output.py",
        "    return status.st_dev, status.st_ino\n", "    return path, 0  # type: ignore\n", "test_paths.py -k mounts",
    ),
    Mutation(
        "an object is made where there is none", "storage/bucket.py",
        'self._name(path), data, mode="create", **more)', "self._name(path), data, **more)",
        "../buckets/test_memory.py -k is_not_replaced",
    ),
    Mutation(
        "a manifest is made where there is none", "storage/bucket.py",
        'file, self._name(path), mode="create")', "file, self._name(path))",
        "../buckets/test_memory.py -k manifest_that_appears",
    ),
    Mutation(
        "sizes are compared before a manifest is made", "storage/prefix.py",
        " or status.st_size != found[0].written.n_bytes", "", "../buckets/test_memory.py -k altered",
    ),
    Mutation(
        "nothing is deleted that no journal knows", "storage/prefix.py",
        "                if self.journal.find(inner) is None:\n", "                if not inner:\n",
        "../buckets/test_memory.py -k somebody_else",
    ),
    Mutation(
        "what another request has claimed is left alone", "storage/prefix.py",
        'json.dumps({"rebalance": "claim", "request": request})', 'json.dumps({"rebalance": "claim"})',
        "../buckets/test_memory.py -k another_request",
    ),
    Mutation(
        "a run gives way to one that has finished", "storage/claim.py",
        "        if not self._is_claimed():\n", "        if self._bucket is None:\n",
        "../buckets/test_memory.py -k comes_late",
    ),
    Mutation(
        "a source in a storage is listed again at the end", "freshness.py",
        "        if stamp is None or not stamp.is_of(image.stamp):\n", "        if stamp is None:\n",
        "../buckets/test_memory.py -k changes_meanwhile",
    ),
    Mutation(
        "an OUTPUT that stands meanwhile is not claimed", "storage/claim.py",
        "    if bucket.has(NAME):", "    if bucket is None:", "../buckets/test_memory.py -k finished_meanwhile",
    ),
    Mutation(
        "an object of ours goes before it is made anew", "perform.py",
        "                self.staged.discard(operation.output)\n", "                pass\n",
        "../buckets/test_memory.py -k not_wanted_any_more",
    ),
    Mutation(
        "a right that is refused is no bad image", "storage/transfer.py",
        "        if is_address(root):  # which", "        if root is None:  # which",
        "../buckets/test_memory.py -k is_refused_is",
    ),
    Mutation(
        "a name is looked at before a copy", "storage/bucket.py",
        " or self.has(path):", ":", "../buckets/test_s3.py -k no_copy_replaces",
    ),
    Mutation(
        "what the manifest does not speak of is not published", "storage/prefix.py",
        "        for path in sorted(self.whole - set(paths_of_all(head))):\n", "        for path in ():\n",
        "../buckets/test_memory.py -k looks_like_ours",
    ),
    Mutation(
        "whatever the storage is to blame for is asked again", "storage/bucket.py",
        "set_custom_error_handler(_is_passing)", "set_custom_error_handler(lambda _error: False)",
        "../buckets/test_s3.py -k longer_than",
    ),
)  # fmt: skip


def main(word: str = "") -> int:
    """Print guard -> layer for every mutation, or those whose text has a word; return 1 where one was not noticed."""
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "copy"
        for name in ("rebalance", "tests", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "Makefile"):
            source = _ROOT / name
            (shutil.copytree if source.is_dir() else _copy)(source, copy / name)
        outcomes = [_is_noticed(copy, mutation) for mutation in MUTATIONS if word in " ".join(mutation)]
    sys.stdout.write(f"{len(outcomes)} guards taken out, {sum(outcomes)} noticed\n")
    return 0 if all(outcomes) else 1


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)


def _is_noticed(copy: Path, mutation: Mutation) -> bool:
    began = time.monotonic()
    path = copy / "rebalance" / mutation.file
    text = path.read_text()
    assert text.count(mutation.old) == 1, mutation
    path.write_text(text.replace(mutation.old, mutation.new))
    test, _, chosen = mutation.test.partition(" -k ")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(Path("tests/faults") / test)]
    command += ["-k", chosen] if chosen else []
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    try:
        ran = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=_LONGEST
        )
        code, noticed = ran.returncode, re.findall(r"^FAILED \S+?::(\S+)", ran.stdout, re.MULTILINE)
    except subprocess.TimeoutExpired:
        code, noticed = 1, [f"waits for ever ({chosen})"]
    path.write_text(text)
    layer = Path(test).stem.removeprefix("test_").replace("_", " ")
    verdict = {0: "NOT NOTICED BY", 1: "->"}.get(code, f"CANNOT BE TRIED (pytest says {code}) BY")
    told = f"{mutation.guard} {verdict} {layer}: {', '.join(noticed)} ({time.monotonic() - began:.0f} s)"
    sys.stdout.write(told + "\n")
    sys.stdout.flush()
    return code == 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
