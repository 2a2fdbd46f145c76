"""What demo/, cluster/, browser/ and benchmarks/ share. Nothing here is part of the package."""
