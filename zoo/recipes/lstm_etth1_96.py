"""lstm.etth1_96: an LSTM on segments forecasts seven columns of a transformer, 96 hours ahead.

Run:      zoo train lstm.etth1_96 --seed 0
Cost:     3 minutes on one of 2 shared CPU cores.
Data:     ETTh1, 12, 4 and 4 months of 30 days; every window of the part, stride 1.
Expect:   standardised MSE 0.365 ± 0.001, MAE 0.388 over three seeds; shipped 0.365 (seed 1).
Departs:  from SegRNN: units of the file in and out of the model, 256 units in place of 512, absolute in place of
          squared errors, AdamW with a cosine, averaged weights, an LSTM for the GRU, 8 epochs for up to 30.
"""

from zoo.recipes import forecasting

RECIPE = forecasting.recipe("lstm", "etth1", 96, forecasting.segrnn(0.368, 0.395))
