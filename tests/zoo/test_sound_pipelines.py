import dataclasses
import json
import sys

import numpy as np
import pytest

from export.runtime.pipelines.sound import KeywordSpotting, SoundClassification, Transcription, packets
from zoo import registry
from zoo.cli import listening
from zoo.errors import InvalidInput
from zoo.features import audio
from zoo.spec import ModelSpec, Score, Signature, TensorSpec

_WAVE = TensorSpec("wave", "float32", (None, None, 1), ("batch", "time", "feature"), unit="full scale")
_LOGITS = TensorSpec("logits", "float32", (None, 3), ("batch", "class"))
PACKET = 320


def card(**change):
    base = ModelSpec(
        name="gru.digits",
        task="sound classification",
        family="wave_classifier",
        architecture="gru",
        summary="A GRU.",
        intended_use="Tests.",
        limits=(),
        config={"sample_rate": 16_000, "decimate": 2, "hop": 80, "stride": 2},
        signature=Signature((_WAVE,), (_LOGITS,)),
        labels=("low", "middle", "high"),
        preprocessing="none",
        dataset=None,
        scores=(Score("accuracy", "test", 0.9, 10),),
        published=(),
        parameters=1,
        multiply_adds_per_step=1,
        recipe="",
        seed=0,
        training={},
        commit="",
        files={},
        sample_rate=16_000.0,
    )
    return dataclasses.replace(base, **change)


SPOTTER = card(name="gru.spots", task="keyword spotting", labels=("silence", "unknown", "yes", "no"))


class Loudness:
    """Prefers one class of three by the loudest sample: below a third, below two thirds, above."""

    def run(self, inputs):
        peak = np.abs(inputs["wave"]).max((1, 2))
        return {"logits": 9 * np.eye(3)[np.minimum((3 * peak).astype(int), 2)]}


class Fixed:
    """Answers the same frames for every clip."""

    def __init__(self, frames):
        self.frames = frames

    def run(self, inputs):
        return {"logits": np.repeat(self.frames[None], len(inputs["wave"]), 0)}


class Loud:
    """A spotter, and its stream: "yes" for a packet of positive samples, "no" for negative ones, else silence."""

    def run(self, inputs):
        return {"logits": self.push(inputs["wave"])}

    def stream(self):
        return self

    def push(self, wave):
        kept = wave[:, : wave.shape[1] // PACKET * PACKET, 0]
        mean = kept.reshape(len(wave), -1, PACKET).mean(-1)
        return 12 * np.eye(4)[np.where(mean > 0.1, 2, np.where(mean < -0.1, 3, 0))]


def speech():
    """A second of silence, "yes" for 0.4 s, a second of silence, "no" for 0.4 s, half a second of silence."""
    return np.repeat(np.array([0, 0.5, 0, -0.5, 0], "float32"), [16_000, 6400, 16_000, 6400, 8000])


def test_a_clip_has_one_label():
    (found,) = SoundClassification(card(), Loudness())(np.full(500, 0.5, "float32"))
    assert found.label == "middle" and found.score > 0.99
    assert list(found.scores) == ["middle", "low", "high"]
    assert found.cells() == ("middle", "100.0 %")


def test_several_clips_have_a_label_each():
    clips = np.array([[0.1] * 9, [0.9] * 9])
    assert [item.label for item in SoundClassification(card(), Loudness())(clips)] == ["low", "high"]


def test_a_file_is_heard_like_its_samples(tmp_path):
    audio.write(tmp_path / "clip.wav", np.full(500, 0.9), 16_000)
    assert SoundClassification(card(), Loudness())(str(tmp_path / "clip.wav"))[0].label == "high"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            np.zeros((2, 3, 4)),
            "gru.digits takes a WAV file, or samples at 16000 Hz as [samples] or [example, samples]; "
            "this input has shape [2, 3, 4].",
        ),
        (
            np.zeros(0),
            "gru.digits takes a WAV file, or samples at 16000 Hz as [samples] or [example, samples]; "
            "this input has shape [0].",
        ),
        (
            np.zeros(9, "int16"),
            "gru.digits takes samples between -1 and 1; these are of type int16. Of 16-bit integers divide by 32768.",
        ),
        (
            np.full(9, 32_000.0),
            "gru.digits takes samples between -1 and 1; here one is 3.2e+04. Divide them by what stands for full "
            "scale.",
        ),
        (
            np.full(9, np.nan),
            "gru.digits takes samples between -1 and 1; here one is nan. Divide them by what stands for full scale.",
        ),
    ],
)
def test_what_is_no_sound_is_refused(raw, message):
    with pytest.raises(InvalidInput) as error:
        SoundClassification(card(), Loudness())(raw)
    assert str(error.value) == message


def test_a_string_is_the_most_probable_one():
    frames = np.log([[0.6, 0.4, 1e-9, 1e-9], [0.6, 0.4, 1e-9, 1e-9], [1e-9, 1e-9, 1e-9, 1.0]])
    (found,) = Transcription(card(labels=("7", "8", "9")), Fixed(frames))(np.zeros(100))
    assert (found.text, found.greedy) == ("79", "9")
    assert found.score == pytest.approx(0.64, abs=1e-6)
    assert found.cells() == ("79", "64.0 %")


def test_a_clip_without_a_digit_says_so():
    (found,) = Transcription(card(labels=("7",)), Fixed(np.log([[1.0, 1e-9]] * 3)))(np.zeros(100))
    assert (found.text, found.cells()) == ("", ("nothing was heard", "100.0 %"))


def test_keywords_come_with_the_times_at_which_they_are_known():
    found = KeywordSpotting(SPOTTER, Loud())(speech())
    assert [item.label for item in found] == ["yes", "no"]
    assert found[0].time == pytest.approx(1.0 + 6 * 0.02) and found[1].time == pytest.approx(2.4 + 6 * 0.02)
    assert found[0].cells()[:2] == ("1.12 s", "yes")


def test_packets_give_what_the_whole_recording_gives():
    spotter = KeywordSpotting(SPOTTER, Loud())
    assert list(spotter.listen(packets(speech(), PACKET))) == spotter(speech())


def test_a_word_at_the_very_end_is_heard_in_the_silence_that_follows():
    class Late(Loud):
        def run(self, inputs):
            return {"logits": np.roll(super().run(inputs)["logits"], 20, axis=1)}

    assert [item.label for item in KeywordSpotting(SPOTTER, Late())(speech()[: 16_000 + 6400])] == ["yes"]


def test_half_a_second_of_silence_follows_the_last_packet():
    class Counting(Loud):
        samples = 0

        def push(self, wave):
            self.samples += wave.shape[1]
            return super().push(wave)

    stream = Counting()
    assert not list(KeywordSpotting(SPOTTER, stream).listen(packets(np.zeros(700, "float32"), PACKET)))
    assert stream.samples == 700 + 8000


def test_a_keyword_is_given_before_the_next_packet_is_asked_for():
    asked = []

    def arriving():
        for number, packet in enumerate(packets(speech(), PACKET)):
            asked.append(number)
            yield packet

    first = next(KeywordSpotting(SPOTTER, Loud()).listen(arriving()))
    assert first.label == "yes" and asked[-1] == 55  # the sixth packet of the word, which starts with packet 50


def test_one_stream_at_a_time():
    with pytest.raises(InvalidInput) as error:
        KeywordSpotting(SPOTTER, Loud())(np.zeros((2, 400)))
    assert str(error.value) == "gru.spots listens to one stream at a time; this input has 2."


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The command line finds the spotter, and one model that spots nothing."""
    known = {"gru.spots": SPOTTER, "gru.digits": card()}
    monkeypatch.setattr(registry, "get", known.__getitem__)
    monkeypatch.setattr(registry, "names", lambda pattern="*": sorted(known))
    monkeypatch.setattr(registry, "file", lambda name, file: tmp_path / file)
    monkeypatch.setattr(listening.runtime, "load", lambda path: Loud())


@pytest.fixture
def clip(tmp_path):
    audio.write(tmp_path / "clip.wav", speech(), 16_000)
    return tmp_path / "clip.wav"


def test_listen_prints_keywords_with_their_times(zoo_command, installed, clip):
    answer = zoo_command("listen", "gru.spots", clip)
    assert answer.code == 0
    assert [line.split("  ")[:2] for line in answer.out.splitlines()] == [["1.12 s", "yes"], ["2.52 s", "no"]]


def test_listen_prints_one_object_a_line_for_machines(zoo_command, installed, clip):
    lines = zoo_command("listen", "gru.spots", clip, "--json").out.splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["yes", "no"]
    assert json.loads(lines[0]).keys() == {"label", "time", "score"}


def test_listen_says_when_there_was_nothing_to_hear(zoo_command, installed, tmp_path):
    audio.write(tmp_path / "quiet.wav", np.zeros(16_000), 16_000)
    answer = zoo_command("listen", "gru.spots", tmp_path / "quiet.wav")
    assert (answer.code, answer.out) == (0, "No keyword was heard (yes, no).\n")


def test_predict_says_so_in_the_same_words(zoo_command, installed, monkeypatch, tmp_path):
    quiet = tmp_path / "quiet.wav"
    audio.write(quiet, np.zeros(16_000), 16_000)
    monkeypatch.setattr("zoo.pipeline", lambda name, backend: KeywordSpotting(SPOTTER, Loud()))
    heard = zoo_command("listen", "gru.spots", quiet).out
    answer = zoo_command("predict", "gru.spots", quiet)
    assert (answer.code, answer.out.splitlines()[-1] + "\n") == (0, heard)
    assert json.loads(zoo_command("predict", "gru.spots", quiet, "--json").out) == []


def test_listen_needs_something_to_listen_to(zoo_command, installed, clip):
    for arguments in ((), (clip, "--microphone")):
        answer = zoo_command("listen", "gru.spots", *arguments)
        assert (answer.code, answer.err) == (
            2,
            "zoo: Listen to what? zoo listen gru.spots FILE.wav, or zoo listen gru.spots --microphone.\n",
        )


def test_listen_names_the_models_that_can(zoo_command, installed, clip):
    answer = zoo_command("listen", "gru.digits", clip)
    assert (answer.code, answer.err) == (
        2,
        "zoo: Model 'gru.digits' spots no keywords: its task is sound classification. These do: gru.spots.\n",
    )


def test_listen_refuses_what_it_cannot_hear(zoo_command, installed, tmp_path):
    (tmp_path / "text.wav").write_text("not a recording")
    answer = zoo_command("listen", "gru.spots", tmp_path / "text.wav")
    path = tmp_path / "text.wav"
    assert (answer.code, answer.err) == (
        2,
        f"zoo: {path} is not a WAV file. Convert it: ffmpeg -i {path} -ac 1 -c:a pcm_s16le out.wav\n",
    )


def test_a_microphone_needs_sounddevice(zoo_command, installed, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    answer = zoo_command("listen", "gru.spots", "--microphone")
    assert (answer.code, answer.err) == (
        2,
        "zoo: --microphone needs the package sounddevice and the PortAudio library (import of sounddevice halted; None "
        "in sys.modules). Run: pip install 'recurrent-zoo[microphone]'. A recording works without: zoo listen NAME "
        "FILE.wav\n",
    )


class Device:
    """A microphone that hears `speech`, then is unplugged by Ctrl-C."""

    device = 0

    def __init__(self, samplerate, channels, blocksize, dtype):
        assert (samplerate, channels, blocksize, dtype) == (16_000, 1, PACKET, "float32")
        self.packets, self.late = packets(speech(), PACKET), False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, size):
        packet = next(self.packets, None)
        if packet is None:
            raise KeyboardInterrupt
        return packet[:, None], self.late

    @staticmethod
    def query_devices(device):
        return {"name": "test microphone"}


def test_a_microphone_is_heard_until_ctrl_c(zoo_command, installed, monkeypatch):
    Device.InputStream = Device
    monkeypatch.setitem(sys.modules, "sounddevice", Device)
    answer = zoo_command("listen", "gru.spots", "--microphone")
    assert answer.code == 0 and answer.err == "listening to test microphone\n"
    assert [line.split("  ")[1] for line in answer.out.splitlines()] == ["yes", "no"]


def test_sound_that_is_lost_is_told_once(zoo_command, installed, monkeypatch):
    class Late(Device):
        late = property(lambda self: True, lambda self, value: None)

    Device.InputStream = Late
    monkeypatch.setitem(sys.modules, "sounddevice", Device)
    answer = zoo_command("listen", "gru.spots", "--microphone")
    told = "listening to test microphone\nsome sound was lost: this machine does not keep up\n"
    assert (answer.code, answer.err) == (0, told)
