"""NumPy-only transforms shared by training and serving."""
