"""``make soak``: hundreds of waits begin and end in one triggerer, whose memory must not grow."""
