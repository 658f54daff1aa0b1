"""Pictures that Dramatiq scales: who uploaded one goes along with the message."""
