"""What a person would give a pretrained model, by task: made up, and such that the model has something to say."""

import numpy as np

from zoo import made_up
from zoo.features import voice


def raw_input(spec, folder):
    """Raw input for the pipeline of `spec`; files go into `folder`."""
    return RAW[spec.task](spec, np.random.default_rng(0), folder)


def recording(spec, rng, folder):
    return rng.normal(0, 0.3, (spec.window or 50, spec.signature.inputs[0].shape[-1])).astype("float32")


def surnames(spec, rng, folder):
    return ["Watanabe", "O'Neill", "Kowalczyk"]


def transformer(spec, rng, folder):
    columns = made_up.transformer()
    if spec.config["hours"] != 1:
        del columns["date"]  # the table is hourly; without dates its rows may be any time apart
    return made_up.write(columns, folder / "transformer.csv")


def air(spec, rng, folder):
    return made_up.write(made_up.air(), folder / "air.csv")


def heartbeats(spec, rng, folder):
    return made_up.heartbeats()


def image(spec, rng, folder):
    return rng.integers(0, 256, (28, 28))


def digit(spec, rng, folder):
    return voice.say("seven", int(spec.sample_rate))


def keywords(spec, rng, folder):
    """The voice says the four words twice each, slowly, at two pitches, with pauses of half a second."""
    rate = int(spec.sample_rate)
    pause = np.zeros(rate // 2, "float32")
    said = [voice.say(word, rate, pitch, speed=0.8) for word in spec.labels[2:] for pitch in (140, 170)]
    return np.concatenate([pause, *(piece for wave in said for piece in (wave, pause))])


def digits(spec, rng, folder):
    rate = int(spec.sample_rate)
    return np.concatenate([np.pad(voice.say(word, rate), rate // 8) for word in ("seven", "one", "four")])


def review(spec, rng, folder):
    return "A great film, but I didn't like its boring end. 7/10!"


def sentence(spec, rng, folder):
    return ["A dog.", "Two dogs are playing in the snow."] if "_en_" in spec.name else ["Ein Hund.", "Zwei Hunde."]


def prompt(spec, rng, folder):
    return {"tiny_shakespeare": "ROMEO:", "ptb": "the company said"}[spec.dataset.name]


RAW = {
    "anomaly detection": heartbeats,
    "classification": recording,
    "forecasting": transformer,
    "keyword spotting": keywords,
    "pixel classification": image,
    "quantile forecasting": air,
    "sentiment": review,
    "sound classification": digit,
    "tagging": review,
    "text classification": surnames,
    "text generation": prompt,
    "transcription": digits,
    "translation": sentence,
}
