"""Splits, their proofs, and whole comparisons of arms on them."""
