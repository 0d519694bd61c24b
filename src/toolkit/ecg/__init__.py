"""Arrhythmia classification of ECG (Grabowski et al. 2022)."""
