"""What is measured on this machine before a run begins: its fastest route, and the batch for its budget."""
