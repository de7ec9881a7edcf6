"""lstm.pmnist: a pyramid of LSTM layers reads a handwritten digit, one pixel a step, in a fixed random order.

Run:      zoo train lstm.pmnist --seed 0
Cost:     37 minutes on one of 2 shared CPU cores.
Data:     MNIST, read in the order of seed 92916; the last 5,000 training images validate.
Expect:   accuracy 98.4 ± 0.0 % on the test split over seeds 0, 1, 2; shipped seed 0, 98.7 % on validation; published
          90.2 % for an LSTM and 95.4 % for one with batch normalisation, both over another permutation.
Departs:  from Cooijmans' LSTM: a pyramid of three layers, of which the first reads every pixel, the second a group of
          seven states, the third a group of four; images shifted by up to one pixel before they are permuted, weights
          averaged.
"""

from zoo.recipes import pixels
from zoo.spec import Published

RECIPE = pixels.recipe(
    "lstm.pmnist",
    "A pyramid of three LSTM layers reads a handwritten digit in 784 steps of one pixel, in a fixed random order.",
    {"recurrence": "lstm", "permutation": 92916},
    15,
    (
        Published(0.902, "LSTM of 100 units, another permutation", "Cooijmans et al. 2017, arXiv:1603.09025"),
        Published(0.954, "LSTM with recurrent batch normalisation", "Cooijmans et al. 2017, arXiv:1603.09025"),
    ),
)
