"""What may be traded: allocation and the gates that refuse."""
