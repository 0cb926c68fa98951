"""The reviews for training, their splits and their targets."""
