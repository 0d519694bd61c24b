"""Reinforcement-learning search for short ansatz circuits (Ostaszewski et al. 2021)."""
