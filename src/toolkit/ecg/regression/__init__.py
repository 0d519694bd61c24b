"""Self-supervised regression: predict hidden parts of a signal from the rest (Grabowski 2022)."""
