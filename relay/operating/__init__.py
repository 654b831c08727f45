"""What operators ask and do: the same answers for the command line and the console."""
