"""What a search is compared with: baselines on the same operator, and published results."""
