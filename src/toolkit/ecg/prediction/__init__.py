"""From a recording in a file to beats, their classes, what they make up, and a report."""
