import subprocess
import sys

import numpy as np

from zoo import demo


def test_the_demo_predicts_in_a_process_that_has_neither_tensorflow_nor_keras(tmp_path):
    path = tmp_path / "recording.npy"
    np.save(path, demo.made_up_recording())
    code = demo.SERVE.format(model=demo.MODEL, path=str(path))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    *predictions, cost = answer.splitlines()
    assert len(predictions) == 7  # windows of 128 steps, half overlapping, over 500
    assert predictions[0].startswith("  seconds 0.0 to 2.6: ") and ": laying (" in predictions[-1]
    assert cost.startswith("  from a cold process to these answers: ") and cost.endswith(" s of CPU time")
