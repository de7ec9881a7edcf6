"""Sound to log-mel frames, inside the model: what training computes is what every exported file computes."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class LogMel(keras.layers.Layer):
    """The logarithm of mel-weighted magnitudes of a short-time Fourier transform.

        X[t, k] = sum_n hann[n] wave[t hop + n] exp(-2 pi i k n / window) / sum(hann) * 2      a full-scale sine is 1
        y[t, b] = log(1 + sum_k mel[k, b] |X[t, k]| / floor)                                   digital silence is 0

    Shapes: wave [B, S, 1] with samples in [-1, 1] -> y [B, T, bands], T about S / hop.
    The transform is a convolution with fixed weights, so it runs wherever convolutions run and streams where they do;
    `mel` holds triangles of area 1, evenly spaced on the mel scale, mel(f) = 2595 log10(1 + f / 700).
    Frames: `causal` ones end at every `hop`-th sample and see the past alone. The others reach over both ends of the
    clip, so that every sample is in window / hop frames; frames of zeros alone come out as zeros, for a `Masking` layer
    to find, and a clip padded with zeros has the frames of the clip.
    `decimate` > 1 low-passes the wave and keeps every so-manieth sample first: `window` and `hop` count what is kept.
    Raises:  ValueError for a frequency range outside (0, half the rate), or so narrow that a band holds no bin.
    Source:  Davis & Mermelstein 1980, IEEE TASSP 28(4).  Differs: magnitudes in place of powers, whose range 8 bits
             cannot hold, and 1 + in the logarithm in place of a threshold.
    """

    def __init__(
        self,
        bands: int,
        *,
        sample_rate: int,
        window: int,
        hop: int,
        low: float = 80.0,
        high: float = 3800.0,
        floor: float = 1e-4,
        decimate: int = 1,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trainable", False)
        super().__init__(**kwargs)
        self.bands, self.sample_rate, self.window, self.hop = bands, sample_rate, window, hop
        self.low, self.high, self.floor, self.decimate, self.causal = low, high, floor, decimate, causal
        if not 0 < low < high < sample_rate / decimate / 2:
            raise ValueError(
                f"low={low} and high={high} must lie between 0 and half of the {sample_rate / decimate:g} Hz that "
                "the transform sees."
            )
        rate = sample_rate / decimate
        bins = np.arange(int(np.ceil(low * window / rate)), int(high * window / rate) + 1)
        padding = "causal" if causal else "valid"
        self.lowpass = _fixed("lowpass", lowpass(decimate), decimate, "causal") if decimate > 1 else None
        self.edges = None if causal else keras.layers.ZeroPadding1D((window - hop, window), name="edges")
        self.transform = _fixed("transform", fourier(window, bins), hop, padding)
        self.mel = _fixed("mel", triangles(bins * rate / window, bands, low, high)[None], 1, "valid")

    def build(self, input_shape: Any) -> None:
        for layer in (self.lowpass, self.transform):
            if layer is not None:
                layer.build((None, None, 1))
        self.mel.build((None, None, self.transform.filters // 2))
        self.built = True

    def call(self, wave: Any) -> Any:
        if self.lowpass is not None:
            wave = self.lowpass(wave)
        if self.edges is not None:
            wave = self.edges(wave)
        parts = self.transform(wave)
        bins = self.transform.filters // 2
        cosine, sine = parts[..., :bins], parts[..., bins:]
        magnitudes = ops.sqrt(cosine * cosine + sine * sine)
        return ops.log(1 + self.mel(magnitudes) / self.floor)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], None, self.bands)

    def get_config(self) -> dict[str, Any]:
        names = ("bands", "sample_rate", "window", "hop", "low", "high", "floor", "decimate", "causal")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _fixed(name: str, kernel: np.ndarray, stride: int, padding: str) -> keras.layers.Conv1D:
    """A convolution [taps, inputs, outputs] that training leaves as it is."""
    return keras.layers.Conv1D(
        kernel.shape[2],
        kernel.shape[0],
        strides=stride,
        padding=padding,
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(kernel.astype("float32")),
        trainable=False,
        name=name,
    )


def fourier(window: int, bins: np.ndarray) -> np.ndarray:
    """The kernel [window, 1, 2 bins] whose outputs are the real, then the imaginary parts of the windowed transform."""
    hann = np.hanning(window + 1)[:-1]
    angle = 2 * np.pi * np.outer(np.arange(window), bins) / window
    return (2 * hann[:, None] / hann.sum() * np.concatenate([np.cos(angle), -np.sin(angle)], 1))[:, None]


def triangles(frequencies: np.ndarray, bands: int, low: float, high: float) -> np.ndarray:
    """The weight [bins, bands] of each frequency (in Hz) in each band; every band's weights sum to 1."""
    mel_low, mel_high = (2595 * np.log10(1 + f / 700) for f in (low, high))
    corners = 700 * (10 ** (np.linspace(mel_low, mel_high, bands + 2) / 2595) - 1)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequencies[:, None] - left) / (centre - left)
    falling = (right - frequencies[:, None]) / (right - centre)
    weights = np.maximum(0, np.minimum(rising, falling))
    if (weights.sum(0) == 0).any():
        raise ValueError(f"bands={bands} is too many between {low:g} and {high:g} Hz: a band holds no frequency.")
    return weights / weights.sum(0)


def lowpass(factor: int, zero_crossings: int = 8) -> np.ndarray:
    """The kernel [taps, 1, 1] of a windowed-sinc filter that passes what `factor` times fewer samples can hold."""
    reach = zero_crossings * factor
    place = np.arange(-reach, reach + 1)
    kernel = np.sinc(0.95 * place / factor) * np.hanning(2 * reach + 3)[1:-1]
    return (kernel / kernel.sum())[:, None, None]
