"""The noise stress test: calibrated noise added to clean records by WFDB's ``nst`` protocol.

Source: nst(1) in the WFDB Applications Guide; Moody, Muldrow, Mark, "A noise stress test for
arrhythmia detectors", Computers in Cardiology 11:381, 1984.
"""
