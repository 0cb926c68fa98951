"""Files against psql and against the classifier alone."""
