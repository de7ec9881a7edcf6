"""What becomes of many random models: `python -m tests.conformance.fuzz 20` draws 20 times 25 and writes fuzz.csv.

A seed that is in the file already is not drawn again, so a run that was stopped goes on where it was. A wrong file ends
it with the model that Hypothesis has made as small as it can.
"""

import csv
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from tests.conformance.random_models import models
from tests.conformance.test_fuzz import FILES, outcomes

PATH = Path(__file__).with_name("fuzz.csv")
EXAMPLES = 25
COLUMNS = ("seed", "format", "right", "refused")


def rows() -> list[dict[str, str]]:
    if not PATH.exists():
        return []
    with PATH.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def text() -> str:
    """How many models were drawn and what became of them, for COVERAGE.md."""
    found = rows()
    totals = {name: Counter[str]() for name in FILES}
    for row in found:
        totals[row["format"]].update({column: int(row[column]) for column in ("right", "refused")})
    drawn = max((sum(total.values()) for total in totals.values()), default=0)
    lines = [f"{name} {total['right']} right, {total['refused']} refused by name" for name, total in totals.items()]
    return (
        f"Besides, {drawn} random models of up to four blocks were exported (`python -m tests.conformance.fuzz`):\n"
        f"{'; '.join(lines)}; none was wrong."
    )


def _draw(number: int) -> dict[str, Counter[str]]:
    """Outcomes by format of the different models that one seed gives."""
    seen: set[str] = set()
    found = {name: Counter[str]() for name in FILES}
    test: Callable[[], None] = seed(number)(_test(found, seen))
    test()
    return found


def _test(found: dict[str, Counter[str]], seen: set[str]) -> Callable[[], None]:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(models())
    def every_model_is_right_or_refused(drawn):
        if repr(drawn) in seen:
            return
        for format, answer in outcomes(drawn):
            found[format]["right" if answer == "parity" else "refused"] += 1
        seen.add(repr(drawn))

    return every_model_is_right_or_refused


def main(seeds: int) -> None:
    done = rows()
    known = {row["seed"] for row in done}
    for number in range(seeds):
        if str(number) in known:
            continue
        for format, counts in _draw(number).items():
            done.append({"seed": str(number), "format": format} | {name: str(counts[name]) for name in COLUMNS[2:]})
        with PATH.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(done)
        print(f"seed {number}: {done[-2:]}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
