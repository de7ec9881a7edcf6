"""gru.etth1_720: a GRU on segments forecasts seven columns of a transformer, 720 hours ahead.

Run:      zoo train gru.etth1_720 --seed 0
Cost:     TODO
Data:     ETTh1, 12, 4 and 4 months of 30 days; every window of the part, stride 1.
Expect:   TODO
Departs:  TODO
"""

from zoo.recipes import forecasting

RECIPE = forecasting.recipe("gru", "etth1", 720, forecasting.segrnn(0.446, 0.457))
