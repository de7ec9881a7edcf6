"""gru.ettm1_96: a GRU on segments forecasts seven columns of a transformer, 96 quarters of an hour ahead.

Run:      zoo train gru.ettm1_96 --seed 0
Cost:     TODO
Data:     ETTm1, 12, 4 and 4 months of 30 days; every window of the part, stride 1.
Expect:   TODO
Departs:  TODO
"""

from zoo.recipes import forecasting

RECIPE = forecasting.recipe("gru", "ettm1", 96, forecasting.segrnn(0.330, 0.369), epochs=3)
