"""Handwritten digits read pixel by pixel: 784 steps of one grey value, the classic test of long memory.

x holds the pixels of an image row after row; that `lstm.pmnist` reads them in another, fixed order is part of its
model. The last 5,000 of the 60,000 training images are held out for validation.
"""

import gzip
from pathlib import Path

import numpy as np

from zoo.datasets.base import Dataset, RemoteFile, Split, Splits, download, mirrored
from zoo.spec import DatasetRef

LABELS = tuple("0123456789")
STEPS = 28 * 28
VALIDATION = 5_000
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def load() -> Splits:
    """x float32 [N, 784, 1], grey values 0 (paper) to 255 (ink); y int32 [N]."""
    train, test = _part("train"), _part("t10k")
    order = np.arange(len(train))
    return Splits(train.take(order[:-VALIDATION]), train.take(order[-VALIDATION:]), test)


def _part(name: str) -> Split:
    images = _bytes(f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, STEPS, 1)
    return Split(images.astype("float32"), _bytes(f"{name}-labels-idx1-ubyte.gz", 8).astype("int32"))


def _bytes(file: str, header: int) -> np.ndarray:
    """The unsigned bytes of an idx file after its header."""
    address = f"https://storage.googleapis.com/cvdf-datasets/mnist/{file}"
    path: Path = mirrored("smnist", file, SHA256[file]) or download(RemoteFile(address, SHA256[file]))
    return np.frombuffer(gzip.decompress(path.read_bytes()), "uint8", offset=header)


def _dataset(name: str, title: str) -> Dataset:
    return Dataset(
        DatasetRef(
            name=name,
            title=title,
            url="https://yann.lecun.com/exdb/mnist/",
            licence="no formal licence at the source; commonly treated as CC BY-SA 3.0",
            citation="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998; "
            "sequential task: Le, Jaitly & Hinton 2015, arXiv:1504.00941",
        ),
        LABELS,
        load,
    )


DATASETS = (_dataset("smnist", "Sequential MNIST"), _dataset("pmnist", "Permuted sequential MNIST"))
