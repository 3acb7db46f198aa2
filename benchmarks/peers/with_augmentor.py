"""Augmentor with its threads, geometry alone: it has no shift, and no noise."""

import Augmentor
from work import DEGREES, SHEAR, ZOOM, asked, save_at_our_quality

if __name__ == "__main__":
    given = asked()
    save_at_our_quality()
    pipeline = Augmentor.Pipeline(str(given.source), str(given.output.resolve()))
    if given.size:
        pipeline.resize(1, *given.size, resample_filter="BILINEAR")
    pipeline.flip_left_right(0.5)
    pipeline.rotate(1, DEGREES, DEGREES)
    pipeline.shear(1, SHEAR, SHEAR)
    pipeline.zoom(1, 1, 1 + ZOOM)
    pipeline.sample(len(given.jobs()) * given.n_copies, multi_threaded=True)
