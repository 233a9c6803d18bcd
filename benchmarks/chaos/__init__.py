"""What the served app does when something around it fails: the bucket, the disk, workers, sites, the clock, clients."""
