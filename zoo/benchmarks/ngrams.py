"""What a model of surnames has to beat: logistic regression on the runs of one to four characters of a name.

Each run of characters weighs its frequency in the name times its rarity among the names (tf-idf), the ends of the name
marked. Strength of regularisation, and whether languages weigh the same, are chosen on validation by macro accuracy;
the test split is read once. Run `python -m zoo.benchmarks.ngrams` (two minutes; extra `bench`) to write
`results/ngrams_names.csv`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.benchmarks import results
from zoo.datasets import surnames
from zoo.evaluation import accuracy, macro_accuracy

STRENGTHS = (1.0, 4.0, 16.0)
Part = Sequence[tuple[str, int]]


def fit(train: Part, strength: float, balanced: bool) -> Any:
    """The baseline on (surname, label) pairs; `balanced`: every label weighs the same."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), lowercase=True, sublinear_tf=True)
    weight = "balanced" if balanced else None
    model = make_pipeline(grams, LogisticRegression(C=strength, class_weight=weight, max_iter=300))
    return model.fit(*zip(*train, strict=True))


def score(model: Any, part: Part) -> dict[str, float]:
    """{"macro_accuracy", "accuracy"} of a fitted baseline."""
    names, labels = zip(*part, strict=True)
    chances = model.predict_proba(names)
    y = np.searchsorted(model.classes_, labels)
    return {"macro_accuracy": macro_accuracy(y, chances), "accuracy": accuracy(y, chances)}


def measure(train: Part, validation: Part, test: Part, strengths: Sequence[float] = STRENGTHS) -> list[dict[str, Any]]:
    """One row a setting with its validation scores; the best one has its test scores too."""
    rows, fitted = [], []
    for balanced in (False, True):
        for strength in strengths:
            fitted.append(fit(train, strength, balanced))
            found = score(fitted[-1], validation)
            row: dict[str, Any] = {"C": strength, "balanced": balanced}
            row |= {f"validation_{name}": f"{value:.4f}" for name, value in found.items()}
            rows.append({**row, "test_macro_accuracy": "", "test_accuracy": "", "examples": len(test)})
    best = max(range(len(rows)), key=lambda place: float(rows[place]["validation_macro_accuracy"]))
    rows[best] |= {f"test_{name}": f"{value:.4f}" for name, value in score(fitted[best], test).items()}
    return rows


if __name__ == "__main__":
    train, validation, test = surnames.parts()
    found = measure(train, validation, test)
    print(results.write("ngrams_names", [{**row, **results.conditions(("scikit-learn",))} for row in found]))
