"""What is owned: positions, cash, profit and loss."""
