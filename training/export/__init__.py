"""Export a trained network as a model folder: graph, int8, calibration, figures, manifest and model card."""
