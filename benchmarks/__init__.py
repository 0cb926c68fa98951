"""Load on a running service: the benchmark, the replay of a labelled data set, and the fault drill."""
