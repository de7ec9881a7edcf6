"""gru_quantile.pm25: P10, P50 and P90 of Beijing's fine dust for each of the next 24 hours.

Run:      zoo train gru_quantile.pm25 --seed 0
Cost:     TODO
Data:     Beijing PM2.5; 2010 to 2012 train, 2013 validates, 2014 tests; every window of the part, missing hours marked.
Expect:   TODO
Departs:  no published benchmark to depart from.
"""

from zoo.datasets import pm25
from zoo.features import air
from zoo.recipes.calibration import set_interval
from zoo.recipes.recipe import CardText, Recipe
from zoo.spec import Published

RECIPE = Recipe(
    name="gru_quantile.pm25",
    task="quantile forecasting",
    family="quantile_forecaster",
    config={
        "recurrence": "gru",
        "columns": list(air.COLUMNS),
        "features": len(air.FEATURES),
        "mean": 4.16,
        "deviation": 1.0,
        "hours": 1.0,
        "look_back": pm25.LOOK_BACK,
        "horizon": pm25.HORIZON,
        "units": 64,
        "quantiles": [0.1, 0.5, 0.9],
        "dropout": 0.4,
    },
    dataset="pm25",
    loss="pinball",
    metric="pinball",
    also=("coverage",),
    epochs=4,
    batch_size=128,
    learning_rate=2e-3,
    weight_decay=1e-2,
    average=0.99,
    calibrate=set_interval,
    card=CardText(
        summary="One GRU over four days of fine dust and weather: P10, P50 and P90 of PM2.5 for the next 24 hours.",
        intended_use="An hourly outlook with its uncertainty, from a csv of the past 96 hours, hours without a "
        "measurement included.",
        limits=(
            "Trained on one monitor in Beijing, 2010 to 2012; the air there has become cleaner since.",
            "It sees past weather only: a front that arrives tomorrow is in no column.",
            "The interval was set on 2013; that 80 % lie inside holds as long as the world stays as it was.",
        ),
        preprocessing="Columns of the csv become 15 numbers an hour (zoo/features/air.py); a missing PM2.5 is -1, "
        "which the model reads as not measured. Logarithm and standardisation are in the model.",
        input_unit="PM2.5 in µg/m³ (-1: not measured), dew point and temperature in °C, pressure in hPa, accumulated "
        "wind speed in m/s, hours of snow and rain, wind direction, hour and day as points on a circle",
        published=(Published(0.0, "TODO", "TODO"),),
        window=pm25.LOOK_BACK,
    ),
)
