"""``make bench`` and ``make soak``: measure what waiting for jobs costs."""
