import json
import struct
import subprocess
import sys

import keras
import numpy as np
import pytest

import export
import zoo
from tests.real_data import needs_data

HAR = ["bilstm.har", "gru.har", "lstm.har", "stacked_lstm.har"]
HUGE = (
    b"\x93NUMPY\x01\x00"
    + struct.pack("<H", 118)
    + (b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000)}".ljust(117) + b"\n")
)
RECORDING = np.random.default_rng(0).normal(0, 0.1, (300, 9)).astype("float32")


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "recording.npy"
    np.save(path, RECORDING)
    return path


def test_list_names_the_models_with_their_scores(zoo_command):
    answer = zoo_command("list", "*.har", "--json")
    rows = json.loads(answer.out)
    assert answer.code == 0
    assert [row["name"] for row in rows] == HAR
    keys = ["name", "task", "architecture", "dataset", "metric", "value", "published", "parameters", "bytes"]
    assert all(list(row) == keys for row in rows)
    assert all(row["value"] >= 0.92 and row["bytes"] < 1024**2 for row in rows)


def test_list_filters_by_task_and_architecture(zoo_command):
    found = json.loads(zoo_command("list", "--architecture", "gru", "--json").out)
    assert {row["architecture"] for row in found} == {"gru"}
    answer = zoo_command("list", "*.har", "--task", "cooking")
    assert (answer.code, answer.err) == (
        2,
        "zoo: No model matches '*.har' with task 'cooking'. Run `zoo list` to see all.\n",
    )


def test_list_answers_without_importing_keras_or_tensorflow():
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None)\n"
        "from zoo import cli; sys.argv = ['zoo', 'list', '*.har', '--json']\n"
        "cli.main()"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert len(json.loads(answer.stdout)) == 4


def test_the_table_for_people_holds_the_same_facts(zoo_command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    table = zoo_command("list", "gru.har").out
    spec = zoo.describe("gru.har")
    assert "gru.har" in table and f"{100 * spec.score.value:.1f} %" in table and f"{spec.parameters:,}" in table


def test_show_prints_the_whole_card(zoo_command):
    card = json.loads(zoo_command("show", "gru.har", "--json").out)
    assert card["signature"]["inputs"][0]["name"] == "frames"
    text = zoo_command("show", "gru.har").out
    for part in ("walking_upstairs", "licence", "zoo/recipes/gru_har.py", "published"):
        assert part in text
    assert f"int8 file in an arena of {card['arena_bytes']:,} bytes" in " ".join(text.split())


def test_a_published_number_of_another_metric_stands_on_the_card_alone(zoo_command):
    name = "lstm_autoencoder.ecg5000"
    (row,) = json.loads(zoo_command("list", name, "--json").out)
    assert (row["metric"], row["published"]) == ("roc_auc", [])
    assert "published: 97.9 %  accuracy of an LSTM autoencoder" in zoo_command("show", name).out


def test_check_tells_machines_about_a_file_that_differs_too(zoo_command, tmp_path):
    for seed, name in enumerate(("one", "other")):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((None, 2), name="x"), keras.layers.GRU(3, name="y")], name=name)
        model.save(tmp_path / f"{name}.keras")
        export.to_onnx(model, tmp_path / f"{name}.onnx", check=False)
    answers = [
        zoo_command("check", tmp_path / "one.onnx", "--against", tmp_path / f"{name}.keras", "--json")
        for name in ("one", "other")
    ]
    found = [json.loads(answer.out) for answer in answers]
    assert [answer.code for answer in answers] == [0, 1] and [item["ok"] for item in found] == [True, False]
    assert found[1]["error"].startswith("one.onnx: onnx output 'y' differs by ")
    assert answers[1].err == f"zoo: {found[1]['error']}\n"


def test_show_of_an_unknown_model_suggests_the_nearest(zoo_command):
    answer = zoo_command("show", "gru.hat")
    assert answer.code == 2
    count = len(zoo.list_models())
    assert answer.err == (
        f"zoo: Unknown model 'gru.hat'. Did you mean 'gru.har'? Run `zoo list` to see all {count} names.\n"
    )


@pytest.mark.parametrize("backend", ["onnx", "keras"])
def test_predict_labels_every_window_of_a_recording(zoo_command, recording, backend):
    answer = zoo_command("predict", "gru.har", recording, "--backend", backend, "--json")
    rows = json.loads(answer.out)
    assert [(row["start"], row["end"]) for row in rows] == [(0, 128), (64, 192), (128, 256), (172, 300)]
    assert all(row["label"] in zoo.describe("gru.har").labels for row in rows)
    assert all(abs(sum(row["scores"].values()) - 1) < 1e-6 for row in rows)


def test_predict_gives_the_same_answer_for_npy_and_csv(zoo_command, recording, tmp_path):
    table = tmp_path / "recording.csv"
    np.savetxt(table, RECORDING, delimiter=",", header="a,b,c,d,e,f,g,h,i", comments="", fmt="%.9g")
    first, second = (json.loads(zoo_command("predict", "gru.har", path, "--json").out) for path in (recording, table))
    for one, other in zip(first, second, strict=True):
        assert one["label"] == other["label"]
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)


def test_predict_draws_nothing_for_a_model_without_a_picture(zoo_command, recording, tmp_path):
    answer = zoo_command("predict", "gru.har", recording, "--plot", tmp_path / "out.png")
    assert (answer.code, answer.err) == (
        2, "zoo: Model 'gru.har' draws no picture: its task is classification. Leave out --plot.\n",
    )  # fmt: skip
    assert not (tmp_path / "out.png").exists()


def test_predict_draws_one_input(zoo_command, recording, tmp_path):
    answer = zoo_command("predict", "gru.har", recording, recording, "--plot", tmp_path / "out.png")
    assert (answer.code, answer.err) == (2, "zoo: --plot draws one input, not 2: call once for each.\n")


def saved(tmp_path, array):
    path = tmp_path / "wrong.npy"
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros(9, "float32"),
            "gru.har takes a recording [time, feature] or a batch [example, time, feature]; this input has shape [9].",
        ),
        (
            np.zeros((20, 6), "float32"),
            "Input 'frames' has size 6 on axis 'feature' (shape [1, 20, 6]); expected frames float32 [batch, time, 9].",
        ),
        (
            np.full((20, 9), np.nan, "float32"),
            "Input 'frames' holds nan at [0, 0, 0]; every value must be finite. Fill or drop such steps first.",
        ),
        (
            np.full((20, 9), "x"),
            "Input 'frames' has dtype <U1, which does not become float32 without loss. "
            "Convert it first, if that is meant: x.astype('float32').",
        ),
        (
            np.zeros((0, 9), "float32"),
            "Input 'frames' is empty on axis 'time' (shape [1, 0, 9]); "
            "expected frames float32 [batch, time, 9], at least 1 on every axis.",
        ),
    ],
)
def test_predict_refuses_what_the_model_cannot_take(zoo_command, tmp_path, array, message):
    path = saved(tmp_path, array)
    answer = zoo_command("predict", "gru.har", path)
    assert answer.code == 2
    assert answer.err == f"zoo: {path}: {message}\n"
    assert answer.out == ""


def test_predict_says_which_of_several_recordings_is_wrong_and_prints_nothing(zoo_command, recording, tmp_path):
    wrong = saved(tmp_path, np.zeros(9, "float32"))
    answer = zoo_command("predict", "gru.har", recording, wrong, "--json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"zoo: {wrong}: gru.har takes a recording ")


def test_predict_answers_for_every_recording_even_a_repeated_one(zoo_command, recording):
    rows = json.loads(zoo_command("predict", "gru.har", recording, recording, "--json").out)
    assert len(rows) == 8 and rows[:4] == rows[4:]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.npy", b"", "{} is empty: it should hold one row of numbers a step."),
        ("empty.csv", b"", "{} is empty: it should hold one row of numbers a step."),
        ("noise.npy", b"\x93NUMPY nonsense", "{} is not a NumPy array file ("),
        ("huge.npy", HUGE, "{} is not a NumPy array file (Unable to allocate 7.11 PiB for an array with shape "),
        ("head.csv", b"a,b\n", "{} has no row of numbers: it should hold one row a step."),
        ("word.csv", b"1,2\n3,two\n", "{} line 2 holds 'two', which is not a number."),
        ("ragged.csv", b"1,2\n3\n", "{} line 2 has 1 columns, the first row has 2."),
        ("latin.csv", b"caf\xe9", "{} is not UTF-8 text (unexpected end of data at byte 3)."),
        ("data.txt", b"1,2", "{} is neither .npy nor .csv: save the array as one of these."),
    ],
)
def test_predict_refuses_files_it_cannot_read(zoo_command, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    answer = zoo_command("predict", "gru.har", path)
    assert answer.code == 2
    assert answer.err.startswith("zoo: " + message.format(path)), answer.err
    assert answer.err.count("\n") == 1


def test_predict_names_a_missing_file(zoo_command, tmp_path):
    answer = zoo_command("predict", "gru.har", tmp_path / "none.npy")
    assert (answer.code, answer.err) == (2, f"zoo: {tmp_path / 'none.npy'} does not exist.\n")


def test_predict_on_an_unknown_backend_lists_them(zoo_command, recording):
    answer = zoo_command("predict", "gru.har", recording, "--backend", "onxx")
    assert (answer.code, answer.err) == (
        2,
        "zoo: Unknown backend 'onxx'. Did you mean 'onnx'? The backends are onnx, keras, tflite, saved_model.\n",
    )


def test_predict_without_onnxruntime_says_what_to_install(recording):
    code = (
        "import sys; sys.modules.update(onnxruntime=None)\n"
        f"from zoo import cli; sys.argv = ['zoo', 'predict', 'gru.har', {str(recording)!r}]\n"
        "cli.main()"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 2
    assert answer.stderr.startswith("zoo: ") and "pip install" in answer.stderr and answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "sys.argv = ['zoo', 'train', 'lstm.adding']; cli.main()",
            "This command needs Keras and TensorFlow: pip install 'recurrent-zoo[export]'. "
            "Without them, predict and eval run with --backend onnx.",
        ),
        (
            "zoo.load('gru.har')",
            "zoo.load('gru.har') makes a keras.Model: pip install 'recurrent-zoo[keras]'. "
            "Without Keras, zoo.pipeline runs the model on ONNX Runtime.",
        ),
    ],
)
def test_what_needs_keras_says_what_to_install(call, message):
    code = f"import sys; sys.modules.update(tensorflow=None, keras=None)\nimport zoo\nfrom zoo import cli\n{call}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode != 0
    assert answer.stderr.splitlines()[-1].endswith(message)


@needs_data
@pytest.mark.parametrize("name", HAR)
def test_eval_on_onnx_repeats_the_score_of_the_card_to_the_digit(zoo_command, name):
    found = json.loads(zoo_command("eval", name, "--backend", "onnx", "--json").out)
    spec = zoo.describe(name)
    assert list(found) == ["name", "backend", "quantize", "dataset", "split", "metric", "value", "examples", "seconds"]
    assert found["value"] == spec.score.value
    assert found["examples"] == spec.score.examples == 2947


def test_train_refuses_no_epochs(zoo_command, tmp_path):
    answer = zoo_command("train", "lstm.adding", "--epochs", "0", "--out", tmp_path)
    assert (answer.code, answer.err) == (2, "zoo: --epochs 0 trains nothing: give a number from 1 up.\n")


def test_train_of_an_unknown_recipe_suggests_the_nearest(zoo_command):
    answer = zoo_command("train", "lstm.ading")
    assert answer.code == 2
    assert answer.err.startswith("zoo: Unknown recipe 'lstm.ading'. Did you mean 'lstm.adding'? The recipes are ")


def test_publish_without_a_run_says_how_to_make_one(zoo_command, tmp_path):
    answer = zoo_command("publish", "gru.har", "--runs", tmp_path)
    assert (answer.code, answer.err) == (
        2,
        f"zoo: {tmp_path / 'gru.har'} holds no finished run. Train first: zoo train gru.har --seed 0.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show"], "Missing argument 'name'. Try `zoo show --help`."),
        (["cook"], "No such command 'cook'. Try `zoo --help`."),
        (["list", "--xyz"], "No such option: --xyz. Try `zoo list --help`."),
        (
            ["train", "lstm.adding", "--epochs", "abc"],
            "Invalid value for '--epochs': Input should be a valid integer, unable to parse string as an integer. "
            "Try `zoo train --help`.",
        ),
        (
            ["bench", "gru.har", "--batch", "x"],
            "--batch 'x' must be whole numbers with commas between them, as in 1,32.",
        ),
        (["bench", "gru.har", "--batch", "0"], "Batch sizes [0] must be 1 or more."),
        (["train", "lstm.adding", "--seed", "-1"], "seed=-1 is no seed: give a whole number from 0 to 4294967295."),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_two(zoo_command, arguments, message):
    answer = zoo_command(*arguments)
    assert (answer.code, answer.out, answer.err) == (2, "", f"zoo: {message}\n")


def test_no_command_shows_the_help(zoo_command):
    answer = zoo_command()
    assert (answer.code, answer.err) == (2, "")
    assert "Usage: zoo [OPTIONS] COMMAND" in answer.out


def test_the_help_of_every_command_needs_neither_keras_nor_tensorflow():
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None)\n"
        "from zoo import cli\n"
        "for name in 'list show predict eval train export check bench publish'.split():\n"
        "    sys.argv = ['zoo', name, '--help']\n"
        "    try: cli.main()\n"
        "    except SystemExit as stop: print('code', name, stop.code)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stderr == ""
    codes = [line for line in answer.stdout.splitlines() if line.startswith("code ")]
    assert len(codes) == 9 and all(line.endswith(" 0") for line in codes)
    assert "'gru.*' or '*.har'" in answer.stdout  # the stars are no markup


@pytest.mark.parametrize(
    ("name", "metric", "fitting"),
    [
        ("gru.har", "bleu", "bleu compares texts, which gru.har does not answer with: use accuracy, macro_accuracy."),
        (
            "lstm.shakespeare",
            "accuracy",
            "accuracy compares classes, which lstm.shakespeare does not answer with: use nats_per_token, perplexity.",
        ),
    ],
)
def test_a_metric_of_other_answers_is_refused_before_anything_is_loaded(zoo_command, name, metric, fitting):
    answer = zoo_command("eval", name, "--backend", "onnx", "--metric", metric)
    assert (answer.code, answer.err) == (2, f"zoo: {fitting}\n")


def test_eval_names_an_unknown_backend_before_it_asks_for_data(zoo_command, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    answer = zoo_command("eval", "gru.har", "--backend", "onxx")
    assert (answer.code, answer.err) == (
        2,
        "zoo: Unknown backend 'onxx'. Did you mean 'onnx'? The backends are onnx, keras, tflite, saved_model.\n",
    )


def test_a_full_disk_is_one_line(zoo_command, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zoo.recipes.training.train", full)
    answer = zoo_command("train", "lstm.adding", "--out", tmp_path / "run")
    assert (answer.code, answer.err) == (1, "zoo: [Errno 28] No space left on device.\n")


def test_an_interrupted_training_says_how_to_go_on(zoo_command, monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.recipes.training.train", interrupted)
    answer = zoo_command("train", "lstm.adding", "--out", tmp_path / "run")
    assert (answer.code, answer.err) == (
        130,
        "Interrupted. With --resume the same command goes on after the last finished epoch.\n",
    )


def test_keras_does_not_run_quantised_files(zoo_command):
    answer = zoo_command("eval", "gru.har", "--backend", "keras", "--quantize", "dynamic")
    assert (answer.code, answer.err) == (
        2,
        "zoo: The keras backend runs float32 only, not 'dynamic': quantised files run on onnx or tflite.\n",
    )


def test_an_error_names_a_text_only_among_several(zoo_command):
    empty = "The text '  ' is empty: give at least one character that is not blank."
    assert zoo_command("predict", "bilstm.imdb", "  ").err == f"zoo: {empty}\n"
    assert zoo_command("predict", "bilstm.imdb", "good", "  ").err == f"zoo:   : {empty}\n"
