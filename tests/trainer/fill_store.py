"""A program that tests start several times at once: it adds images, one at a time, to a feature store."""

import sys
from pathlib import Path

import numpy as np
from toy_backbone import TOY_SPEC

from nearid_search.trainer.feature_store import FeatureStore

store = FeatureStore(Path(sys.argv[1]), TOY_SPEC)
for key in sys.argv[2:]:
    value = float(key.rpartition("-")[2])
    shapes = [(1, scale.num_tokens, scale.dim) for scale in TOY_SPEC.token_scales]
    store.append([key], [np.full(shape, value, np.float32) for shape in shapes])
