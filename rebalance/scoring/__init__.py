"""How good predictions are: measures, intervals and comparisons; pure, on arrays."""
