"""What lies on disk: atomic files, archives, states of trainings to take up again."""
