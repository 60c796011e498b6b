"""Passes over netlists, before and after synthesis."""
