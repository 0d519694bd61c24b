"""Maps of whole scenes: made, smoothed, drawn and written."""
