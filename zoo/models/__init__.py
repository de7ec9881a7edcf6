"""Model families, one file each: `build(family, config) -> keras.Model`, weights fresh."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from zoo.errors import InvalidInput, unknown_name
from zoo.models import (
    autoencoder,
    classifier,
    forecaster,
    language_model,
    pixel_classifier,
    quantile_forecaster,
    regressor,
    review_classifier,
    tagger,
    text_classifier,
    transformer,
    translator,
    wave_classifier,
    wave_ctc,
    wave_spotter,
)

FAMILIES: dict[str, tuple[type[Any], Callable[[Any], keras.Model]]] = {
    "autoencoder": (autoencoder.Config, autoencoder.build),
    "classifier": (classifier.Config, classifier.build),
    "forecaster": (forecaster.Config, forecaster.build),
    "pixel_classifier": (pixel_classifier.Config, pixel_classifier.build),
    "language_model": (language_model.Config, language_model.build),
    "quantile_forecaster": (quantile_forecaster.Config, quantile_forecaster.build),
    "regressor": (regressor.Config, regressor.build),
    "review_classifier": (review_classifier.Config, review_classifier.build),
    "tagger": (tagger.Config, tagger.build),
    "text_classifier": (text_classifier.Config, text_classifier.build),
    "transformer": (transformer.Config, transformer.build),
    "translator": (translator.Config, translator.build),
    "wave_classifier": (wave_classifier.Config, wave_classifier.build),
    "wave_ctc": (wave_ctc.Config, wave_ctc.build),
    "wave_spotter": (wave_spotter.Config, wave_spotter.build),
}


def build(family: str, config: Mapping[str, Any], name: str | None = None) -> keras.Model:
    """The model that `config` describes. Raises UnknownName or InvalidInput naming the setting at fault.

    >>> build("classifier", {"recurrence": "gru", "units": [8], "features": 9, "classes": 6}).output_shape
    (None, 6)
    """
    if family not in FAMILIES:
        raise unknown_name("model family", family, FAMILIES, f"The families are {', '.join(FAMILIES)}.")
    kind, builder = FAMILIES[family]
    try:
        settings = kind(**config)
    except TypeError as error:
        raise InvalidInput(f"The {family} config {dict(config)} does not fit: {error}.") from error
    model = builder(settings)
    if name is not None:
        model.name = name
    return model
