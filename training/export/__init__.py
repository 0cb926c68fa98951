"""Make a served model folder of what was learned: graph, int8, calibration, figures, model card."""
