"""Hyperspectral classifiers pre-trained on artificial labels (Masarczyk et al. 2020)."""
