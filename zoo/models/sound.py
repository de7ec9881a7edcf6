"""The front end that the families for sound share: a wave in, scaled log-mel frames out."""

from dataclasses import dataclass
from typing import Any

import keras

from zoo.layers.log_mel import LogMel


@dataclass(frozen=True, kw_only=True)
class SoundConfig:
    """`sample_rate` in Hz; `window` and `hop` of a frame in samples, counted after `decimate`; `bands` of a frame, from
    `low` to `high` Hz. `band_dropout` is the share of bands that training hides from an example."""

    sample_rate: int
    window: int
    hop: int
    bands: int = 40
    low: float = 80.0
    high: float = 3800.0
    decimate: int = 1
    band_dropout: float = 0.0


def listen(wave: Any, config: SoundConfig, *, causal: bool) -> Any:
    """wave [B, S, 1] -> frames [B, T, bands], mostly between -1 and 2. Where they are not causal, frames of digital
    silence are masked."""
    # Layers
    x = LogMel(
        config.bands,
        sample_rate=config.sample_rate,
        window=config.window,
        hop=config.hop,
        low=config.low,
        high=config.high,
        decimate=config.decimate,
        causal=causal,
        name="log_mel",
    )(wave)
    if not causal:
        x = keras.layers.Masking(name="silence")(x)
    x = keras.layers.Rescaling(0.3, -1.0, name="scaled")(x)
    return keras.layers.SpatialDropout1D(config.band_dropout, name="hidden_bands")(x) if config.band_dropout else x
