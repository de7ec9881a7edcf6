"""gru.ettm1_96: a GRU on segments forecasts seven columns of a transformer, 96 quarters of an hour ahead.

Run:      zoo train gru.ettm1_96 --seed 0
Cost:     6 minutes on one of 2 shared CPU cores.
Data:     ETTm1, 12, 4 and 4 months of 30 days; every window of the part, stride 1.
Expect:   standardised MSE 0.315 ± 0.001, MAE 0.348 over three seeds; shipped 0.315 (seed 2).
Departs:  from SegRNN: units of the file in and out of the model, 256 units in place of 512, absolute in place of
          squared errors, AdamW with a cosine, weights averaged, 4 epochs in place of up to 30.
"""

from zoo.recipes import forecasting

RECIPE = forecasting.recipe("gru", "ettm1", 96, forecasting.segrnn(0.330, 0.369), epochs=4)
