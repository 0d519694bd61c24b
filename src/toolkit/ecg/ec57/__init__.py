"""Beat-by-beat comparison of annotations after ANSI/AAMI EC57, by the documented rules of ``bxb``.

Sources: bxb(1) and G. B. Moody, "Evaluating ECG Analyzers", in the WFDB Applications Guide. Where
they leave a choice, the function that makes it says so. Not checked against the program itself.
"""
