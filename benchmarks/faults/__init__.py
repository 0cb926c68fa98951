"""Kill and freeze processes while reviews are in flight, and check the promises."""
