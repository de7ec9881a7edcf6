"""Looking inside: the gates and states of a recurrent layer over time, as arrays and as a picture."""

from zoo.inspection.inspect import Inspection, inspect

__all__ = ["Inspection", "inspect"]
