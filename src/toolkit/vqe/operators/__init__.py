"""From molecules and files to qubit Hamiltonians."""
