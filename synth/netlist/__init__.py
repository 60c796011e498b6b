"""Netlists as simulation models, and their equivalence with the RTL."""
