"""simple_rnn.adding: the baseline that fails, a SimpleRNN in place of the LSTM of `lstm.adding`.

Run:      zoo train simple_rnn.adding --seed 0
Cost:     about a minute on 2 CPU cores.    Data: generated, see zoo/datasets/adding.py.
Expect:   validation mean squared error near 1/6, that of always answering 1: the gradient of a marked number has
          vanished before it reaches the step that held it.
Departs:  from `lstm.adding` in the layer alone.
"""

import dataclasses

from zoo.recipes import lstm_adding

RECIPE = dataclasses.replace(
    lstm_adding.RECIPE,
    name="simple_rnn.adding",
    config={**lstm_adding.RECIPE.config, "recurrence": "simple_rnn"},
)
