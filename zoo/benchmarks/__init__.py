"""What is measured, and how: candidates take turns in one process, medians are compared, ratios are reported."""
