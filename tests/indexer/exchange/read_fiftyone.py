"""Print what FiftyOne's own importer makes of a dataset, without its database: run by a Python that has FiftyOne."""

import json
import sys

import fiftyone as fo  # type: ignore[import-not-found,unused-ignore]
from fiftyone.utils.data import importers  # type: ignore[import-not-found,unused-ignore]

importer, _ = importers.build_dataset_importer(fo.types.FiftyOneDataset, dataset_dir=sys.argv[1])
importer = importers._handle_legacy_formats(importer)
with importer:
    found = [
        {
            "filepath": sample.filepath,
            "media": sample.media_type,
            "identity": sample.identity.label,
            "size": [sample.metadata.width, sample.metadata.height],
            "embedding": list(sample.embedding),
            "fields": sorted(sample.field_names),
            "bin": sample["bin"],
        }
        for sample in importer
    ]
    sys.stdout.write(json.dumps({"info": importer.get_dataset_info(), "samples": found}) + "\n")
