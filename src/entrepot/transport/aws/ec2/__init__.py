"""EC2: as much of its API as private endpoints need."""
