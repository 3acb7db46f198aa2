"""Where the workers spend their time, from what py-spy recorded of a run.

py-spy record --subprocesses --rate 500 --format raw --output run.txt -- rebalance augment ...
python benchmarks/shares.py run.txt
"""

import collections
import sys
from pathlib import Path

PARTS = {
    "decode": ("_loaded (rebalance/images/codec.py",),
    "warp": ("Surface.sample (rebalance/images/geometry.py",),
    "table": ("adjust (rebalance/images/levels.py", "tone_of (rebalance/images/levels.py"),
    "noise": ("add_gaussian_noise (rebalance/images/steps.py",),
    "encode": ("encode (rebalance/images/encoding.py",),
    "write": ("StagedTree.put (rebalance/storage/transfer.py", "StagedTree.carry (rebalance/storage/transfer.py"),
    "read and hash the source": ("read_source (rebalance/storage/transfer.py",),
    "draw": ("_draw (rebalance/perform.py",),
    "place": ("_place (rebalance/images/pipeline.py", "is_bordered (rebalance/images/quality.py"),
    "look at what was made": ("_objection (rebalance/images/pipeline.py", "_are_equal (rebalance/images/pipeline.py"),
    "row, key and hash": ("Worker._encode (rebalance/perform.py", "key_of (rebalance/keys.py"),
    "hand over": ("_sendback_result (concurrent/futures/process.py", "Queue.get (multiprocessing/queues.py"),
}
"""Part -> the functions in which it is spent."""
_OF = {function: part for part, functions in PARTS.items() for function in functions}


def main() -> None:
    """Print the share of each part in the samples of the workers, and what their parent's are to all."""
    counts: collections.Counter[str] = collections.Counter()
    n_parent = 0
    for line in Path(sys.argv[1]).read_text().splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        if not any(frame.startswith("_process_worker") for frame in frames):
            n_parent += int(samples)
            continue
        names = (frame.rpartition(":")[0] for frame in reversed(frames))
        counts[next((_OF[name] for name in names if name in _OF), "the rest")] += int(samples)
    total = counts.total()
    for part, count in counts.most_common():
        print(f"{part:26} {count / total:6.1%}")
    print(f"the parent has {n_parent / (n_parent + total):.1%} of all samples, waiting included")


if __name__ == "__main__":
    main()
