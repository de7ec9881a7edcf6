import numpy as np

from zoo import made_up
from zoo.features import air, tables


def test_a_made_up_transformer_is_a_table_the_forecasters_read(tmp_path):
    table = tables.read(made_up.write(made_up.transformer(120), tmp_path / "table.csv"))
    values = table.numbers(["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"])
    assert values.shape == (120, 7)
    assert len(tables.moments(table, 1.0)) == 120
    load = values[:, 0] - values[:, 0].mean()
    assert load[24:] @ load[:-24] > 0.6 * load @ load  # today is like yesterday


def test_made_up_air_is_a_table_with_gaps(tmp_path):
    table = tables.read(made_up.write(made_up.air(120), tmp_path / "air.csv"))
    features = air.encode(table.columns)
    assert features.shape == (120, len(air.FEATURES))
    assert (features[:, 0] == air.MISSING).sum() == 6 and features[:, 0].max() > 200
    assert len(tables.moments(table, 1.0)) == 120


def test_made_up_beats_are_z_normalised():
    beats = made_up.heartbeats()
    assert beats.shape == (3, 140) and beats.dtype == np.float32
    np.testing.assert_allclose(beats.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(beats.std(1), 1, atol=1e-6)
    assert np.abs(beats[0] - beats[1]).max() < 0.5 < np.abs(beats[0] - beats[2]).max()
