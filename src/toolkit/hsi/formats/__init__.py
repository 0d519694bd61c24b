"""Files of scenes and labels, read and written."""
