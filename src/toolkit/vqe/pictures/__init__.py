"""Figures: circuits, searches, fronts."""
