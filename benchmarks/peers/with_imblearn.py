"""The loop that people write around imbalanced-learn: over-sample the paths, copy what was chosen under new names."""

import shutil
import sys
from pathlib import Path

import numpy as np
from imblearn.over_sampling import RandomOverSampler


def main() -> None:
    """Bring every class to the size of the largest."""
    source, output = map(Path, sys.argv[1:])
    paths = sorted(source.rglob("*.jpg"))
    rows = np.arange(len(paths))[:, None]
    chosen, _ = RandomOverSampler(random_state=0).fit_resample(rows, [path.parent.name for path in paths])
    for number, (row,) in enumerate(chosen):
        target = output / paths[row].parent.name / f"{number}_{paths[row].name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(paths[row], target)


if __name__ == "__main__":
    main()
