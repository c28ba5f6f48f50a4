"""What the engines for many machines share: models on their way to other machines, and Ray."""
