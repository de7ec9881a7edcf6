"""Beijing PM2.5: hourly fine dust at the US embassy and the weather at the airport, 2010 to 2014.

Windows of `LOOK_BACK` hours and the 24 hours that follow, starting at every hour. Split by time: 2010 to 2012 train,
2013 validation, 2014 test; a window may look back into the part before it, its targets lie in its own part. PM2.5 is
missing in 2,067 of 43,824 hours: there input and target hold `zoo.features.air.MISSING`.
"""

import itertools

import numpy as np

from zoo.datasets import tables
from zoo.datasets.base import Dataset, Split, Splits
from zoo.datasets.tables import Table
from zoo.features import air
from zoo.spec import DatasetRef

LOOK_BACK, HORIZON = 96, 24
TABLE = Table(
    ("series", "beijing-pm25.csv.gz", "f05c813a792252d701ef765302e73bea5e78f7d0edc44cd3cece745313affed6"),
    "https://archive.ics.uci.edu/static/public/381/beijing+pm2+5+data.zip",
    "34da912a99e1f6327ce28cddcec8deb28a80295e8d3065057dc51387f8fe2670",
    "PRSA_data_2010.1.1-2014.12.31.csv",
)


def load() -> Splits:
    """x float32 [N, 96, 15] as `air.FEATURES` orders them; y float32 [N, 24], µg/m³."""
    header, *rows = tables.read(TABLE)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    return windows(air.encode(columns), np.array(columns["year"], "int64"))


def windows(features: np.ndarray, years: np.ndarray) -> Splits:
    """The splits of hourly features [T, 15], each in its year [T]."""
    borders = [0, *(int(np.searchsorted(years, year)) for year in (2013, 2014)), len(years)]
    return Splits(*(_part(features[max(0, a - LOOK_BACK) : b]) for a, b in itertools.pairwise(borders)))


def _part(features: np.ndarray) -> Split:
    x = np.lib.stride_tricks.sliding_window_view(features[:-HORIZON], LOOK_BACK, 0).swapaxes(1, 2)
    return Split(x, np.lib.stride_tricks.sliding_window_view(features[LOOK_BACK:, 0], HORIZON))


DATASET = Dataset(
    DatasetRef(
        name="pm25",
        title="Beijing PM2.5",
        url="https://archive.ics.uci.edu/dataset/381/beijing+pm2+5+data",
        licence="CC BY 4.0",
        citation="Liang et al.: Assessing Beijing's PM2.5 pollution: severity, weather impact, APEC and winter "
        "heating, Proceedings of the Royal Society A 471, 2015",
    ),
    (),
    load,
)
