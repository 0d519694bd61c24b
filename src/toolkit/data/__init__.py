"""The registry of datasets: fetch, verify, locate."""
