"""The data sets, one file each: public source with sha256, licence, splits.

`$ZOO_DATA` names a folder that mirrors them (`<name>/<file>`); without it they are downloaded once into the cache.
"""

from zoo.datasets import (
    adding,
    ecg5000,
    ett,
    ewt,
    fsdd,
    fsdd_strings,
    har,
    imdb,
    kws,
    mnist,
    multi30k,
    pm25,
    ptb,
    sst2,
    surnames,
    tiny_shakespeare,
)
from zoo.datasets.base import Arrays, Dataset, Split, Splits
from zoo.errors import unknown_name

__all__ = ["Arrays", "Dataset", "Split", "Splits", "get", "names"]

_ALL = {
    dataset.ref.name: dataset
    for dataset in (
        adding.DATASET,
        ecg5000.DATASET,
        *ett.DATASETS,
        ewt.DATASET,
        fsdd.DATASET,
        fsdd_strings.DATASET,
        har.DATASET,
        imdb.DATASET,
        kws.DATASET,
        *mnist.DATASETS,
        *multi30k.DATASETS,
        ptb.DATASET,
        sst2.DATASET,
        sst2.PIECES,
        surnames.DATASET,
        tiny_shakespeare.DATASET,
        pm25.DATASET,
    )
}


def names() -> list[str]:
    return sorted(_ALL)


def get(name: str) -> Dataset:
    """
    >>> get("adding").ref.title
    'The adding problem'
    """
    if name not in _ALL:
        raise unknown_name("data set", name, _ALL, f"The data sets are {', '.join(names())}.")
    return _ALL[name]
