"""One training run in one folder: training, evaluation, export."""
