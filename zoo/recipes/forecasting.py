"""What the recipes of the transformer forecasts share, so that they differ in table, horizon and cell alone."""

from zoo.datasets import ett
from zoo.recipes.recipe import CardText, Recipe
from zoo.spec import Published

_SEGRNN = "Lin et al. 2023, arXiv:2308.11200, README of https://github.com/lss-1138/SegRNN"
_LIMITS = (
    "Trained on one transformer over one year: it has learned the days and weeks of these loads, not of others.",
    "It reads the loads alone; weather, holidays and what the operator plans are unknown to it.",
    "Errors grow with the horizon; a sudden change of level is not foreseen.",
    "There is no TFLite file in full integers: the decoder starts from the last state of the encoder, which integer "
    "recurrences do not take. Use `--quantize dynamic`.",
)
_TRIED_192 = (
    "For gru.etth1_192, by the squared error on validation, 0.968 with this recipe: 4 epochs in place of 8 0.967; 4 "
    "epochs with squared errors as the loss 0.971, with a dropout of 0.7 0.972, with both 0.975; with what SegRNN was "
    "trained with, squared errors, 24 rows a segment, 256 windows a batch and a learning rate of 0.001, 0.979.",
)
_NEEDED = (
    "The error on validation is lowest after three or four epochs, and no setting tried lowers it by more than "
    "0.2 %. The published error would need a longer look-back or more than one year of training."
)
_TRIED = {
    192: (*_TRIED_192, _NEEDED),
    336: (
        "By the squared error on validation, 1.282 with this recipe: 4 epochs in place of 8 1.282, and with a dropout "
        "of 0.7 1.284, with 24 rows a segment 1.280; 24 rows a segment, 256 windows a batch and a learning rate of "
        "0.001 1.293.",
        _NEEDED,
    ),
    720: (
        "By the squared error on validation, 1.565 with this recipe: 4 epochs in place of 8 1.566, and with a dropout "
        "of 0.7 1.567, with 24 rows a segment 1.570; 24 rows a segment, 256 windows a batch and a learning rate of "
        "0.001 1.578.",
        _NEEDED,
    ),
}


def recipe(recurrence: str, table: str, horizon: int, published: tuple[Published, ...], epochs: int = 8) -> Recipe:
    """The recipe of `recurrence`.`table`_`horizon`."""
    rows = "hours" if table == "etth1" else "quarters of an hour"
    return Recipe(
        name=f"{recurrence}.{table}_{horizon}",
        task="forecasting",
        family="forecaster",
        config={
            "recurrence": recurrence,
            "columns": list(ett.COLUMNS),
            "mean": list(ett.MEAN[table]),
            "deviation": list(ett.DEVIATION[table]),
            "hours": 24 / ett.ROWS_A_DAY[table],
            "look_back": ett.LOOK_BACK,
            "horizon": horizon,
            "segment": 48,
            "units": 256,
            "dropout": 0.5,
        },
        dataset=f"{table}_{horizon}",
        loss="standardised_mae",
        metric="standardised_mse",
        also=("standardised_mae",),
        epochs=epochs,
        batch_size=64,
        learning_rate=2e-3,
        weight_decay=1e-4,
        average=0.99,
        card=CardText(
            summary=f"Six loads and the oil temperature of a transformer, {horizon} {rows} ahead from the last 96.",
            intended_use=f"Forecast all seven columns of an ETT table, {horizon} {rows} ahead, from its last 96 rows.",
            limits=_LIMITS,
            preprocessing="None outside the model: rows in the units of the file go in and come out; standardisation "
            "and the shift to the last row are layers. Scores are of the output `standardised`.",
            input_unit="as in the file: HUFL, HULL, MUFL, MULL, LUFL, LULL (loads), OT (oil temperature, °C)",
            published=published,
            window=ett.LOOK_BACK,
            tried=_TRIED.get(horizon, _TRIED_192),
            stored="float16",
        ),
    )


def segrnn(mse: float, mae: float) -> tuple[Published, ...]:
    return (Published(mse, f"SegRNN, GRU, look-back 96: standardised MSE (MAE {mae})", _SEGRNN),)
