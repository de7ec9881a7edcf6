import numpy as np
import pytest

from zoo import evaluation
from zoo.datasets import Split
from zoo.errors import UnknownName
from zoo.spec import Signature, TensorSpec


class Adding:
    """An executor that adds `more` inputs to x, keeps its batch sizes, and answers with the sum and its negative."""

    def __init__(self, *more, outputs=("sum",)):
        self.batches = []
        self.signature = Signature(*(tuple(TensorSpec(name, "float32", (None, 1), ("batch", "feature"))
            for name in names) for names in (("x", *more), outputs)))  # fmt: skip

    def run(self, inputs):
        assert set(inputs) == set(self.signature.input_names)
        self.batches.append(len(inputs["x"]))
        total = sum(inputs.values())
        return {name: total if name == "sum" else -total for name in self.signature.output_names}


def test_every_example_is_run_once_in_order_and_in_batches():
    executor, x = Adding(), np.arange(10.0)[:, None]
    np.testing.assert_array_equal(evaluation.outputs_of(lambda given: executor.run({"x": given}), x, batch=4), x)
    assert executor.batches == [4, 4, 2]


def test_several_inputs_and_outputs_are_mappings_by_name():
    executor, x = Adding("more", outputs=("sum", "negative")), np.arange(3.0)[:, None]
    found = evaluation.outputs_of(executor.run, {"x": x, "more": 10 + x}, batch=2)
    np.testing.assert_array_equal(found["sum"], 10 + 2 * x)
    np.testing.assert_array_equal(found["negative"], -10 - 2 * x)


def test_an_executor_is_scored_by_each_metric():
    x = np.array([[1.0], [2.0]])
    found = evaluation.evaluate(Adding(), Split(x, x + 1), ("mean_squared_error",))
    assert found == {"mean_squared_error": 1.0}


@pytest.mark.parametrize(("name", "first_is_better"), [("accuracy", True), ("mean_squared_error", False)])
def test_a_metric_says_which_value_is_better(name, first_is_better):
    metric = evaluation.metric(name)
    assert metric.better(0.9, 0.1) == first_is_better and metric.better(0.5, 0.5)


def test_anything_is_as_good_as_no_number():
    better = evaluation.metric("accuracy").better
    assert better(0.1, float("nan")) and not better(float("nan"), 0.1) and not better(float("nan"), float("nan"))


def test_an_unknown_metric_is_refused():
    with pytest.raises(UnknownName) as error:
        evaluation.metric("acuracy")
    assert str(error.value) == (
        f"Unknown metric 'acuracy'. Did you mean 'accuracy'? The metrics are {', '.join(evaluation.METRICS)}."
    )


def test_pinball_loss_is_that_of_each_quantile_where_something_was_measured():
    rng = np.random.default_rng(0)
    y, quantiles = rng.uniform(0, 100, (40, 3)), np.sort(rng.uniform(0, 100, (40, 3, 3)), -1)
    y[rng.random(y.shape) < 0.3] = -1
    losses = [
        level * (value - guess) if value >= guess else (1 - level) * (guess - value)
        for row, guesses in zip(y, quantiles, strict=True)
        for value, three in zip(row, guesses, strict=True)
        for level, guess in zip((0.1, 0.5, 0.9), three, strict=True)
        if value >= 0
    ]
    assert evaluation.pinball(y, quantiles) == pytest.approx(np.mean(losses))


def test_coverage_counts_what_was_measured():
    y = np.array([[1.0, 5.0, -1.0, 9.0]])
    quantiles = np.tile([2.0, 4.0, 9.0], (1, 4, 1))
    assert evaluation.coverage(y, quantiles) == pytest.approx(2 / 3)


def test_roc_auc_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    y, score = rng.integers(0, 2, 80), np.round(rng.normal(size=(80, 1)), 1)
    pairs = [(a > n) + (a == n) / 2 for a in score[y == 1, 0] for n in score[y == 0, 0]]
    assert evaluation.roc_auc(y, {"score": score}) == pytest.approx(np.mean(pairs))


def test_standardised_errors_are_of_the_standardised_output():
    y, outputs = np.zeros((1, 2, 1)), {"forecast": np.full((1, 2, 1), 9.0), "standardised": np.array([[[1.0], [-3.0]]])}
    assert evaluation.METRICS["standardised_mse"].measure(y, outputs) == 5.0
    assert evaluation.METRICS["standardised_mae"].measure(y, outputs) == 2.0
