"""For every test: TensorFlow's start-up messages off, as `make test` has it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
