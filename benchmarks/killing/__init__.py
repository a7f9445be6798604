"""Kill real processes at chosen points, and compare what they leave with runs that nothing stopped."""
