"""gru.smnist: a pyramid of GRU layers reads a handwritten digit in 784 steps of one pixel.

Run:      zoo train gru.smnist --seed 0
Cost:     50 minutes on one of 2 shared CPU cores.
Data:     MNIST, row after row; the last 5,000 training images validate.
Expect:   accuracy 99.3 ± 0.1 % on the test split over seeds 0, 1, 2; shipped 99.2 % (seed 0, 99.4 % on validation);
          published 98.9 % for an LSTM.
Departs:  from Cooijmans' LSTM: a pyramid of three GRU layers, of which the first reads every pixel, the second a group
          of seven states, the third a row of the image; images shifted by up to one pixel, weights averaged.
"""

from zoo.recipes import pixels
from zoo.spec import Published

RECIPE = pixels.recipe(
    "gru.smnist",
    "A pyramid of three GRU layers reads a handwritten digit in 784 steps of one pixel, row after row.",
    {"recurrence": "gru"},
    20,
    (
        Published(0.989, "LSTM of 100 units", "Cooijmans et al. 2017, arXiv:1603.09025"),
        Published(0.990, "LSTM with recurrent batch normalisation", "Cooijmans et al. 2017, arXiv:1603.09025"),
    ),
)
