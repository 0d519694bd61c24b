"""Gaps of a recording filled by a self-supervised regression."""
