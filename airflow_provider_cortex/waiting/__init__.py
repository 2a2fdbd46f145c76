"""When to poll, when to stop, and what a wait shares and stores."""
