"""Files of reviews, measured against psql and against the classifier alone."""
