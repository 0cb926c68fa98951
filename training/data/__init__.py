"""The reviews that training reads, their splits and targets."""
