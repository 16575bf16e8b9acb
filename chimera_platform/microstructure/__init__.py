"""What the book and the tape say: features of order flow."""
