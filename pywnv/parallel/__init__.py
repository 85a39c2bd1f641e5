"""Several processes: one capture in parts, many captures, a cluster."""
